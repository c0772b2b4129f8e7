// engine_bench: the speed of every operation on this machine, without Node.
//   engine_bench [--filter TEXT] [--isa NAME] [--threads N] [--quick] [--json]
//   engine_bench --end-to-end OPTIONS    a whole clip; OPTIONS as for rushes_bench_end_to_end
//   engine_bench --device cuda [--filter TEXT] [--tiny] [--seconds N] [--json]    the graphics card (card/card_bench.h)
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/card/card_bench.h"
#include "cuda/cuda_device.h"
#include "engine/bench.h"
#include "engine/bench_end_to_end.h"
#include "runtime/sleeping_team.h"
#include "runtime/status.h"

namespace {

int run_end_to_end(const char* given) {
  try {
    rushes::EndToEndOptions options = rushes::end_to_end_options(given);
    options.on_line = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
    std::printf("%s\n", rushes::bench_end_to_end(options).c_str());
    return 0;
  } catch (const rushes::Error& error) {
    std::fprintf(stderr, "%s %s\n", error.sentence().c_str(), error.advice().c_str());
    return 1;
  }
}

int run_card(int argc, char** argv) {
  rushes::card::CardOptions options;
  for (int i = 3; i < argc; ++i) {
    const std::string flag = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (flag == "--tiny") {
      options.tiny = true;
    } else if (flag == "--json") {
      options.json = true;
    } else if (value && flag == "--filter") {
      options.filter = argv[++i];
    } else if (value && flag == "--seconds" && std::atof(value) > 0) {
      options.seconds = std::atof(argv[++i]);
    } else {
      std::fprintf(stderr, "engine_bench --device cuda [--filter TEXT] [--tiny] [--seconds N] [--json]\n");
      return 2;
    }
  }
  const rushes::cuda::Discovery found = rushes::cuda::discover();
  if (found.devices.empty()) {
    std::printf(options.json ? "{\"skipped\": \"no GPU\"}\n" : "skipped: no GPU (%s)\n", found.problem.c_str());
    return 0;
  }
  // With --json the table goes to the other stream as it grows.
  options.on_line = [to = options.json ? stderr : stdout](const std::string& line) {
    std::fprintf(to, "%s\n", line.c_str());
    std::fflush(to);
  };
  try {
    const rushes::card::CardReport report = rushes::card::run_card_bench(options);
    if (options.json) std::printf("%s\n", report.text.c_str());
    return report.wrong ? 1 : 0;
  } catch (const rushes::Error& error) {
    std::fprintf(stderr, "%s %s\n", error.sentence().c_str(), error.advice().c_str());
    return 1;
  }
}

}  // namespace

int main(int argc, char** argv) {
  rushes::prefer_sleeping_team(argv);
  if (argc == 3 && std::string(argv[1]) == "--end-to-end") return run_end_to_end(argv[2]);
  if (argc >= 3 && std::string(argv[1]) == "--device" && std::string(argv[2]) == "cuda") return run_card(argc, argv);
  rushes::BenchOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (flag == "--quick") {
      options.quick = true;
    } else if (flag == "--json") {
      options.json = true;
    } else if (value && flag == "--filter") {
      options.filter = argv[++i];
    } else if (value && flag == "--isa") {
      options.isa = argv[++i];
    } else if (value && flag == "--threads" && std::atoi(value) > 0) {
      options.threads = std::atoi(argv[++i]);
    } else {
      std::fprintf(stderr, "engine_bench [--filter TEXT] [--isa NAME] [--threads N] [--quick] [--json]\n");
      return 2;
    }
  }
  if (!options.json)
    options.on_line = [](const std::string& line) {
      std::printf("%s\n", line.c_str());
      std::fflush(stdout);
    };
  try {
    const std::string report = rushes::run_bench(options);
    if (options.json) std::printf("%s\n", report.c_str());
    return report.find(options.json ? "\"correct\": false" : " WRONG ") != std::string::npos;
  } catch (const rushes::Error& error) {
    std::fprintf(stderr, "%s %s\n", error.sentence().c_str(), error.advice().c_str());
    return 1;
  }
}
