# The sources of the cuda backend in one of three forms, chosen by RUSHES_CUDA:
#   ON        nvcc compiles every *_cuda.cu for RUSHES_CUDA_ARCHITECTURES; cudart is linked statically and finds the driver
#             at run time, so that the program also starts where there is none.
#   EMULATED  every kernel is compiled as C++: a generated .cpp includes the .cu, with RUSHES_CUDA_EMULATOR defined.
#   OFF       there are no kernels.
#   AUTO      for the addon OFF until a card has run the kernels (README says how to ask for them); for the tests alone
#             EMULATED.
# A file X_absent.cpp answers for X_cuda.cu wherever that is not compiled.
set(RUSHES_CUDA AUTO CACHE STRING "The cuda backend: AUTO, OFF, ON or EMULATED")
set_property(CACHE RUSHES_CUDA PROPERTY STRINGS AUTO OFF ON EMULATED)
set(RUSHES_CUDA_ARCHITECTURES "80;86;89;90a;100;120" CACHE STRING "Compute capabilities to compile for; the last also as PTX")

set(rushes_cuda ${RUSHES_CUDA})
find_program(RUSHES_NVCC nvcc HINTS $ENV{CUDA_PATH}/bin PATHS /usr/local/cuda/bin)
if(rushes_cuda STREQUAL AUTO)
  if(NOT CMAKE_JS_INC)
    set(rushes_cuda EMULATED)
  else()
    set(rushes_cuda OFF)
  endif()
endif()

# Kernels look at bytes as words, as nvcc lets them; an address or an index that a GPU would refuse traps, and the emulator
# names the thread (cuda/emulator/memory_faults.cpp). A division by zero it tells by the processor's own trap.
set(rushes_emulated_options -fno-strict-aliasing -fsanitize=alignment,bounds -fsanitize-undefined-trap-on-error
    -fno-sanitize=integer-divide-by-zero)

# The `emulated` sources are written once per .cu; their dependency on it is the compiler's depfile.
function(rushes_emulated_sources out)
  set(generated)
  foreach(kernel ${ARGN})
    file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR} ${kernel})
    string(REGEX REPLACE "\\.cu$" ".cpp" name ${name})
    set(source ${CMAKE_BINARY_DIR}/emulated/${name})
    file(CONFIGURE OUTPUT ${source} CONTENT "#include \"${kernel}\"\n")
    list(APPEND generated ${source})
  endforeach()
  set(${out} ${generated} PARENT_SCOPE)
endfunction()

# Adds the backend to a target that has all other sources.
function(rushes_add_cuda target)
  file(GLOB_RECURSE kernels CONFIGURE_DEPENDS addon/src/*_cuda.cu)
  file(GLOB_RECURSE absents CONFIGURE_DEPENDS addon/src/*_absent.cpp)
  file(GLOB_RECURSE emulator CONFIGURE_DEPENDS addon/src/cuda/emulator/*.cpp)
  set(sources)
  set(answered)
  if(rushes_cuda STREQUAL EMULATED)
    list(FILTER kernels EXCLUDE REGEX "/host_cuda\\.cu$")
    rushes_emulated_sources(emulated ${kernels})
    list(APPEND sources ${emulated} ${emulator})
    set_source_files_properties(${emulated} ${emulator} PROPERTIES COMPILE_DEFINITIONS RUSHES_CUDA_EMULATOR)
    set_source_files_properties(${emulated} PROPERTIES COMPILE_OPTIONS "${rushes_emulated_options}")
    if(emulator MATCHES "/host_emulator\\.cpp")
      list(APPEND answered host)
    endif()
  elseif(rushes_cuda)
    list(APPEND sources ${kernels})
  else()
    set(kernels)
  endif()
  foreach(kernel ${kernels})
    string(REGEX REPLACE ".*/([^/]*)_cuda\\.cu$" "\\1" name ${kernel})
    list(APPEND answered ${name})
  endforeach()
  foreach(absent ${absents})
    string(REGEX REPLACE ".*/([^/]*)_absent\\.cpp$" "\\1" name ${absent})
    if(NOT name IN_LIST answered)
      list(APPEND sources ${absent})
    endif()
  endforeach()
  target_sources(${target} PRIVATE ${sources})
  if(rushes_cuda STREQUAL ON)
    rushes_real_architectures(architectures)
    set_target_properties(${target} PROPERTIES CUDA_ARCHITECTURES "${architectures}" CUDA_RUNTIME_LIBRARY Static)
    # Packed, six architectures' code takes an eighth of the room; cudart unpacks what the card at hand needs.
    target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:--expt-relaxed-constexpr;--compress-mode=size>")
    target_link_libraries(${target} PUBLIC CUDA::cudart_static)
  endif()
endfunction()

# "80;120" -> "80-real;120": machine code for all, and the last one's PTX for cards that come later.
function(rushes_real_architectures out)
  set(real)
  list(POP_BACK RUSHES_CUDA_ARCHITECTURES last)
  foreach(architecture ${RUSHES_CUDA_ARCHITECTURES})
    list(APPEND real ${architecture}-real)
  endforeach()
  set(${out} ${real} ${last} PARENT_SCOPE)
endfunction()

if(rushes_cuda STREQUAL ON)
  if(RUSHES_NVCC AND NOT CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_COMPILER ${RUSHES_NVCC})
  endif()
  set(CMAKE_CUDA_ARCHITECTURES 80)
  set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
  enable_language(CUDA)
  # CMake before 3.26 does not know that nvcc speaks C++20, and so the standard is set after the compiler was tried.
  if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  endif()
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  find_package(CUDAToolkit REQUIRED)
  if(CCACHE)
    set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE})
  endif()
endif()
message(STATUS "cuda backend: ${rushes_cuda}")
