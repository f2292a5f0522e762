#include "os/linux/image_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/os/child.h"
#include "tests/os/store_fixture.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT

namespace {

bool Says(const std::string& text, std::initializer_list<std::string> parts) {
  for (const std::string& part : parts) {
    if (text.find(part) == std::string::npos) {
      BOOST_TEST_MESSAGE("'" << text << "' does not say '" << part << "'");
      return false;
    }
  }
  return true;
}

constexpr char kOurs[] = "who was to open it has it open already";

}  // namespace

BOOST_FIXTURE_TEST_SUITE(image_file, StoreFixture)

BOOST_AUTO_TEST_CASE(an_image_opens_with_its_size) {
  const auto store = Open(dir.Sparse("disk.img", 4096));
  BOOST_TEST(store->size() == 4096u);
  BOOST_TEST(store->writable());
}

BOOST_AUTO_TEST_CASE(what_is_no_image_is_refused_by_name_and_reason) {
  const std::string missing = dir.path("missing.img");
  BOOST_TEST(Says(OpenError(missing), {missing, "No such file"}));
  BOOST_TEST(Says(OpenError(dir.path(".")), {dir.path("."), "is a directory"}));
  BOOST_TEST(Says(OpenError(dir.path("."), {.read_only = true}), {"is a directory"}));
  BOOST_TEST(Says(OpenError("/dev/null"), {"/dev/null", "neither a file nor a block device"}));
  const std::string fifo = dir.path("fifo");
  BOOST_TEST(mkfifo(fifo.c_str(), 0600) == 0);
  BOOST_TEST(Says(OpenError(fifo), {fifo, "neither a file nor a block device"}));
}

BOOST_AUTO_TEST_CASE(sizes_that_make_no_sense_come_with_the_command_that_helps) {
  const std::string empty = dir.Sparse("empty.img", 0);
  BOOST_TEST(Says(OpenError(empty), {empty, "is empty", "truncate --size=64M '" + empty + "'"}));

  const std::string odd = dir.Sparse("odd.img", 1000);
  BOOST_TEST(Says(OpenError(odd),
                  {odd, "1000 bytes", "512-byte blocks", "truncate --size=%512 '" + odd + "'"}));
  const std::string even = dir.Sparse("even.img", 4096 + 512);
  BOOST_TEST(OpenError(even).empty());
  BOOST_TEST(Says(OpenError(even, {.block_size = 4096}), {"4608 bytes", "4096-byte blocks"}));
  // The command does what is promised.
  BOOST_TEST(std::system(("truncate --size=%512 '" + odd + "'").c_str()) == 0);
  BOOST_TEST(OpenError(odd).empty());
}

BOOST_AUTO_TEST_CASE(a_writable_image_belongs_to_one) {
  const std::string path = dir.Sparse("disk.img", 4096);
  {
    const auto first = Open(path);
    BOOST_TEST(Says(OpenError(path), {path, kOurs}));
    BOOST_TEST(Says(OpenError(path, {.read_only = true}), {path, kOurs}));
  }
  BOOST_TEST(OpenError(path).empty());
}

BOOST_AUTO_TEST_CASE(a_read_only_image_may_be_shared) {
  const std::string path = dir.Sparse("disk.img", 4096);
  const auto first = Open(path, {.read_only = true});
  const auto second = Open(path, {.read_only = true});
  BOOST_TEST(!first->writable());
  BOOST_TEST(Says(OpenError(path), {path, kOurs}));
}

// Also where we have the file open without a lock: it may be our standard input.
BOOST_AUTO_TEST_CASE(an_image_of_another_process_is_told_as_that) {
  const std::string path = dir.Sparse("disk.img", 4096);
  const int locked = open(path.c_str(), O_RDWR | O_CLOEXEC);
  BOOST_REQUIRE(flock(locked, LOCK_EX) == 0);
  BOOST_TEST(Succeeds([&] {
    close(locked);  // it stays its parent's
    const os::FileDescriptor input(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return Says(OpenError(path), {path, "in use by another process"}) &&
           Says(OpenError(path, {.read_only = true}), {path, "in use by another process"});
  }));
  close(locked);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_written_opens_read_only) {
  // A program that runs cannot be opened for writing, not even by root.
  const auto store = Open("/proc/self/exe", {.block_size = 1});
  BOOST_TEST(!store->writable());
  BOOST_TEST(Read(*store, 1, 3) == (std::vector<uint8_t>{'E', 'L', 'F'}));
  BOOST_TEST((Write(*store, 0, "00"_hex) == StoreOutcome::kWriteError));
  BOOST_TEST((Unmap(*store, 0, 1) == StoreOutcome::kWriteError));
  BOOST_TEST((Flush(*store) == StoreOutcome::kOk));
}

BOOST_AUTO_TEST_SUITE_END()
