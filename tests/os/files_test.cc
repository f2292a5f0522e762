#include "os/linux/files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include "os/system.h"
#include "tests/os/temp_dir.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT

BOOST_AUTO_TEST_SUITE(files)

BOOST_AUTO_TEST_CASE(a_file_is_read_whole) {
  const TempDir dir;
  const auto system = os::MakeSystem();
  for (size_t length : {0u, 1u, 4095u, 4096u, 4097u, 300'000u}) {
    const std::vector<uint8_t> content(length, 0x5a);
    const auto read = system->ReadFile(dir.File("file", content), length);
    BOOST_TEST_REQUIRE(read.has_value());
    BOOST_TEST((*read == content));
  }
}

BOOST_AUTO_TEST_CASE(a_file_without_a_size_is_read_to_its_end) {
  const auto read = os::ReadWholeFile("/proc/self/status", 100'000);
  BOOST_TEST_REQUIRE(read.has_value());
  BOOST_TEST(SameBytes(Take(Bytes(*read), 5), TextBytes("Name:")));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_read_is_named) {
  const TempDir dir;
  const auto missing = os::ReadWholeFile(dir.path("missing"), 1);
  BOOST_TEST_REQUIRE(!missing.has_value());
  BOOST_TEST((missing.error().kind == app::Failure::Kind::kFile));
  BOOST_TEST(missing.error().text ==
             "cannot read '" + dir.path("missing") + "': No such file or directory");
  BOOST_TEST(!os::ReadWholeFile(dir.path("."), 1).has_value());
}

BOOST_AUTO_TEST_CASE(a_file_without_an_end_is_refused) {
  const auto read = os::ReadWholeFile("/dev/zero", 100'000);
  BOOST_TEST_REQUIRE(!read.has_value());
  BOOST_TEST(read.error().text ==
             "cannot read '/dev/zero': it is a pipe or a device, and not a file");
  const TempDir dir;
  const auto path = dir.Sparse("file", 5000);
  BOOST_TEST(os::ReadWholeFile(path, 5000).has_value());
  const auto longer = os::ReadWholeFile(path, 4999);
  BOOST_TEST_REQUIRE(!longer.has_value());
  BOOST_TEST(longer.error().text ==
             "cannot read '" + path + "': it has more than 4999 bytes, the limit");
}

// A capture written over the image that was being served destroyed the image.
BOOST_AUTO_TEST_CASE(an_image_in_use_is_not_overwritten) {
  const TempDir dir;
  const auto system = os::MakeSystem();
  const auto path = dir.File("disk.img", std::vector<uint8_t>(4096, 0x5a));
  const auto image = system->OpenImage(path, {});
  BOOST_TEST_REQUIRE(image.has_value());
  const auto sink = system->CreateFile(path);
  BOOST_TEST_REQUIRE(!sink.has_value());
  BOOST_TEST(sink.error().text.find("it is in use") != std::string::npos);
  const auto content = system->ReadFile(path, 4096);
  BOOST_TEST_REQUIRE(content.has_value());
  BOOST_TEST((*content == std::vector<uint8_t>(4096, 0x5a)));
}

// A record that named the input of `disk write` destroyed it.
BOOST_AUTO_TEST_CASE(an_output_is_never_what_is_read_or_another_output) {
  const TempDir dir;
  const auto system = os::MakeSystem();
  const std::string input = dir.File("in", std::vector<uint8_t>(16, 0x5a));
  const std::string other = dir.File("other", std::vector<uint8_t>(16, 0x5a));
  BOOST_TEST_REQUIRE(symlink(input.c_str(), dir.path("soft").c_str()) == 0);
  BOOST_TEST_REQUIRE(link(input.c_str(), dir.path("hard").c_str()) == 0);
  for (const char* output : {"in", "soft", "hard", "./in"}) {
    const auto checked = system->CheckOutputs({{other, input}, {dir.path(output)}});
    BOOST_TEST_REQUIRE(!checked.has_value(), output);
    BOOST_TEST((checked.error().kind == app::Failure::Kind::kUsage));
    BOOST_TEST(checked.error().text == "the output \"" + dir.path(output) +
                                           "\" would overwrite \"" + input +
                                           "\", which this command reads: name another file");
  }
  const std::string fresh = dir.path("new");
  const auto twice = system->CheckOutputs({{input}, {fresh, dir.path("./new")}});
  BOOST_TEST_REQUIRE(!twice.has_value());
  BOOST_TEST(twice.error().text.find("which this command writes as well") != std::string::npos);
  BOOST_TEST(!system->CheckOutputs({{}, {dir.path("soft"), dir.path("hard")}}).has_value());

  BOOST_TEST(system->CheckOutputs({{input, "-"}, {other, fresh, "-", "-"}}).has_value());
  BOOST_TEST(system->CheckOutputs({{"/dev/null"}, {"/dev/null", "/dev/null"}}).has_value());
  BOOST_TEST(access(fresh.c_str(), F_OK) != 0);
}

BOOST_AUTO_TEST_CASE(a_sink_writes_through_its_buffer) {
  const TempDir dir;
  const auto system = os::MakeSystem();
  std::vector<uint8_t> expected;
  {
    auto sink = system->CreateFile(dir.path("out"));
    BOOST_TEST_REQUIRE(sink.has_value());
    for (size_t length : {1u, 70'000u, 3u, 65'530u, 10u, 65'536u, 0u}) {
      const std::vector<uint8_t> part(length, static_cast<uint8_t>(length));
      BOOST_TEST((*sink)->Write(part));
      expected.insert(expected.end(), part.begin(), part.end());
    }
    BOOST_TEST((*sink)->Flush());
    BOOST_TEST((FileContent(dir.path("out")) == expected));
    BOOST_TEST((*sink)->error().empty());
    BOOST_TEST((*sink)->Write("0102"_hex));
  }
  expected.insert(expected.end(), {1, 2});
  BOOST_TEST((FileContent(dir.path("out")) == expected));
}

BOOST_AUTO_TEST_CASE(a_full_device_is_an_error_that_stays) {
  auto sink = os::CreateFileSink("/dev/full");
  BOOST_TEST_REQUIRE(sink.has_value());
  BOOST_TEST((*sink)->Write("01"_hex));  // in the buffer
  BOOST_TEST(!(*sink)->Flush());
  BOOST_TEST((*sink)->error() == "cannot write '/dev/full': No space left on device");
  BOOST_TEST(!(*sink)->Write("01"_hex));
  BOOST_TEST(!(*sink)->Flush());
}

BOOST_AUTO_TEST_CASE(a_reader_that_went_away_is_an_error_not_a_signal) {
  const auto system = os::MakeSystem();
  int ends[2];
  BOOST_TEST_REQUIRE(pipe(ends) == 0);
  auto sink = system->CreateFile("/proc/self/fd/" + std::to_string(ends[1]));
  BOOST_TEST_REQUIRE(sink.has_value());
  close(ends[0]);
  close(ends[1]);
  BOOST_TEST((*sink)->Write("01"_hex));
  BOOST_TEST(!(*sink)->Flush());
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_created_is_named) {
  const auto sink = os::CreateFileSink("/nowhere/out");
  BOOST_TEST_REQUIRE(!sink.has_value());
  BOOST_TEST(sink.error().text == "cannot create '/nowhere/out': No such file or directory");
}

BOOST_AUTO_TEST_SUITE_END()
