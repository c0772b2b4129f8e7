// Weights files that are cut short or written anew while they are mapped: a job says so, the process and its other jobs
// live on.
#include <fstream>
#include <thread>

#include "engine/demo_run.h"
#include "files/mapped_file.h"
#include "fixtures/model_files.h"

using namespace rushes;
using rushes::check::Demo;
using rushes::check::DemoFiles;
using rushes::check::generate;
using rushes::check::Job;
using rushes::check::Outcome;
using rushes::check::small_settings;
using rushes::fixtures::TemporaryFolder;

namespace {

// A copy of a file that can be cut short and made whole again in place, as another program would.
class Copy {
 public:
  Copy(const std::string& from, const std::filesystem::path& to) : from_(from), path_(to) {
    std::filesystem::copy_file(from, to);
  }
  void cut() const { std::filesystem::resize_file(path_, std::filesystem::file_size(from_) / 3); }
  void cut_last_byte() const { std::filesystem::resize_file(path_, std::filesystem::file_size(from_) - 1); }
  // Of the same size, with other bytes in its middle.
  void change() const {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(from_) / 2));
    file.write("changed", 7);
  }
  void mend() const {
    std::ifstream whole(from_, std::ios::binary);
    std::ofstream(path_, std::ios::binary | std::ios::in) << whole.rdbuf();
  }
  std::string text() const { return path_.string(); }

 private:
  std::string from_;
  std::filesystem::path path_;
};

// A job during which that happens, once, when the stage begins.
Job with(rushes_stage stage, const std::function<void()>& what, Job job = {}) {
  job.while_running = [=, done = false](rushes_stage now, double) mutable {
    if (now != stage || done) return;
    done = true;
    what();
  };
  return job;
}

void check_torn(const Outcome& outcome, const std::string& file) {
  CHECK(std::string(outcome.status.code) == "checkpoint.corrupt");
  const std::string sentence = outcome.status.sentence;
  CHECK_MESSAGE(sentence.find(file + " could not be read to its end") == 0, sentence);
  CHECK(outcome.status.advice[0] != 0);
}

}  // namespace

TEST_CASE("what a mapped file lost reads as zeros, in any thread, and is known") {
  const TemporaryFolder folder;
  const Copy copy(DemoFiles().vae, folder / "vae.pth");
  const auto file = MappedFile::open(copy.text());
  const auto other = MappedFile::open(DemoFiles().vae);
  CHECK_FALSE(file->is_torn());
  copy.cut();
  std::vector<std::jthread> readers;
  std::atomic<int> zeros = 0;
  for (size_t i = 0; i < 8; ++i)
    readers.emplace_back([&, i] { zeros += file->bytes()[file->size() - 1 - i * 4096] == std::byte{0}; });
  readers.clear();
  CHECK(zeros == 8);
  CHECK(file->is_torn());
  CHECK(file->bytes()[0] == other->bytes()[0]);
  CHECK_FALSE(other->is_torn());
}

TEST_CASE("a mapped file that loses its last byte or is written to is known, though all of it can be read") {
  const TemporaryFolder folder;
  const auto map = [&](const Copy& copy) {
    // Later than the copy was written, on any clock.
    std::filesystem::last_write_time(copy.text(),
                                     std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    return MappedFile::open(copy.text());
  };
  const Copy cut(DemoFiles().vae, folder / "cut.pth"), changed(DemoFiles().vae, folder / "changed.pth");
  const auto one = map(cut), other = map(changed);
  CHECK_FALSE(one->is_torn());
  cut.cut_last_byte();
  CHECK(one->is_torn());
  CHECK_FALSE(other->is_torn());
  changed.change();
  CHECK(other->is_torn());
  // Another file of its name is another file.
  const Copy replaced(DemoFiles().vae, folder / "replaced.pth");
  const auto mapped = map(replaced);
  std::filesystem::rename(folder / "changed.pth", folder / "replaced.pth");
  CHECK_FALSE(mapped->is_torn());
}

TEST_CASE("a transformer that another file takes the place of is opened anew by the next job") {
  const TemporaryFolder folder;
  DemoFiles files;
  const std::string own = files.dit, other = DemoFiles("demo-t2v.pth").dit;
  files.dit = (folder / "dit.pth").string();
  std::filesystem::copy_file(own, files.dit);
  Demo demo(files);
  const Outcome first = generate(demo, small_settings());
  CHECK(generate(demo, small_settings()).frames == first.frames);
  std::filesystem::copy_file(other, folder / "new.pth");
  std::filesystem::rename(folder / "new.pth", files.dit);
  const Outcome second = generate(demo, small_settings());
  REQUIRE_MESSAGE(second.status.code[0] == 0, second.status.sentence);
  CHECK(second.frames != first.frames);
  Demo alone("demo-t2v.pth");
  CHECK(generate(alone, small_settings()).frames == second.frames);
}

TEST_CASE("a transformer that is cut short while it is in use fails its job; mended, it works again") {
  const TemporaryFolder folder;
  const Copy copy(DemoFiles().dit, folder / "dit.pth");
  DemoFiles files;
  files.dit = copy.text();
  Demo demo(files);
  const Job job{.latents = (folder / "latents").string(), .prefix = (folder / "step").string()};
  check_torn(generate(demo, small_settings(),
                      with(
                          RUSHES_STAGE_LOAD, [&] { copy.cut(); }, job)),
             "dit.pth");
  CHECK_FALSE(std::filesystem::exists(job.latents));
  CHECK_FALSE(std::filesystem::exists(job.prefix + "-step1.safetensors"));
  // Still cut short: now its header says so.
  CHECK(std::string(generate(demo, small_settings(), job).status.code) == "checkpoint.corrupt");
  copy.mend();
  const Outcome outcome = generate(demo, small_settings(), job);
  CHECK_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
  Demo untouched;
  CHECK(generate(untouched, small_settings()).frames == outcome.frames);
}

TEST_CASE("a transformer that loses its last byte or is written to fails its job, and nothing of it stays") {
  const TemporaryFolder folder;
  const Copy copy(DemoFiles().dit, folder / "dit.pth");
  DemoFiles files;
  files.dit = copy.text();
  Demo untouched, demo(files);
  const auto expected = generate(untouched, small_settings()).frames;
  const Job job{.latents = (folder / "latents").string()};
  for (const rushes_stage stage : {RUSHES_STAGE_LOAD, RUSHES_STAGE_SAMPLE}) {
    check_torn(generate(demo, small_settings(),
                        with(
                            stage, [&] { copy.cut_last_byte(); }, job)),
               "dit.pth");
    copy.mend();
    check_torn(generate(demo, small_settings(),
                        with(
                            stage, [&] { copy.change(); }, job)),
               "dit.pth");
    CHECK_FALSE(std::filesystem::exists(job.latents));
    copy.mend();
  }
  CHECK(generate(demo, small_settings()).frames == expected);
}

TEST_CASE("nothing is kept of what a cut text encoder or VAE made") {
  const TemporaryFolder folder;
  const Copy text(DemoFiles().text, folder / "text.pth"), vae(DemoFiles().vae, folder / "vae.pth");
  DemoFiles files;
  files.text = text.text();
  files.vae = vae.text();
  Demo demo(files);
  const Job job{.embedding = (folder / "embedding").string()};
  check_torn(generate(demo, small_settings(),
                      with(
                          RUSHES_STAGE_TEXT, [&] { text.cut(); }, job)),
             "text.pth");
  CHECK_FALSE(std::filesystem::exists(job.embedding));
  text.mend();
  REQUIRE(generate(demo, small_settings(), job).status.code[0] == 0);

  Demo fresh(files);
  check_torn(generate(fresh, small_settings(),
                      with(
                          RUSHES_STAGE_DECODE, [&] { vae.cut(); }, job)),
             "vae.pth");
}

TEST_CASE("a kept embedding that is damaged is made anew") {
  const TemporaryFolder folder;
  Job job{.embedding = (folder / "embedding").string()};
  Demo demo;
  const Outcome first = generate(demo, small_settings(), job);
  REQUIRE_MESSAGE(first.status.code[0] == 0, first.status.sentence);
  const auto bytes = std::filesystem::file_size(job.embedding);
  REQUIRE(bytes > 3 * 4096);
  const auto check_same = [&](const Job& given) {
    Demo fresh;
    const Outcome outcome = generate(fresh, small_settings(), given);
    REQUIRE_MESSAGE(outcome.status.code[0] == 0, outcome.status.sentence);
    CHECK(outcome.frames == first.frames);
  };
  // Cut while the job runs: it has been read by then.
  Job meanwhile = job;
  meanwhile.while_running = [&, done = false](rushes_stage stage, double fraction) mutable {
    if (stage != RUSHES_STAGE_TEXT || fraction < 1 || done) return;
    done = true;
    std::filesystem::resize_file(job.embedding, 4096);
  };
  check_same(meanwhile);
  for (const size_t left : {4096, 4}) {
    std::filesystem::resize_file(job.embedding, left);
    check_same(job);
    CHECK(std::filesystem::file_size(job.embedding) == bytes);
  }
}
