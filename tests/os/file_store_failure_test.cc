// What a file store makes of a file system that is full, failing, or pulled away.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdio>

#include "os/linux/file_store.h"
#include "tests/os/failing_calls.h"
#include "tests/os/store_fixture.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT

namespace {

constexpr uint64_t kMebi = 1 << 20;

// As tools/count_tests.py reads it.
void Skip(const char* reason) {
  const auto name = boost::unit_test::framework::current_test_case().full_name();
  std::printf("SKIP: %s: %s\n", name.c_str(), reason);
}

// No file may grow, or be written, beyond `length`; until this goes.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(uint64_t length) {
    BOOST_TEST_REQUIRE(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    rlimit limit = before_;
    limit.rlim_cur = length;
    BOOST_TEST_REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

// A file system of two mebibytes, mounted where only a child process sees it; the child lives as
// long as this. path() leads there.
class SmallFileSystem {
 public:
  explicit SmallFileSystem(const std::string& mount_point) {
    int ready[2];
    BOOST_TEST_REQUIRE(pipe(ready) == 0);
    std::fflush(nullptr);
    child_ = fork();
    if (child_ == 0) {
      close(ready[0]);
      prctl(PR_SET_PDEATHSIG, SIGKILL);  // whatever becomes of the tests
      const bool mounted =
          unshare(CLONE_NEWNS) == 0 &&
          mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
          mount("usbtwin", mount_point.c_str(), "tmpfs", 0, "size=2m,huge=never") == 0;
      const char answer = mounted ? 'y' : 'n';
      if (write(ready[1], &answer, 1) != 1) _exit(1);
      while (mounted) pause();
      _exit(0);
    }
    char answer = 'n';
    close(ready[1]);
    mounted_ = read(ready[0], &answer, 1) == 1 && answer == 'y';
    close(ready[0]);
    path_ = "/proc/" + std::to_string(child_) + "/root" + mount_point;
  }
  ~SmallFileSystem() {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  bool mounted() const { return mounted_; }
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  pid_t child_ = -1;
  bool mounted_ = false;
  std::string path_;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(file_store_failure, StoreFixture)

BOOST_AUTO_TEST_CASE(a_limit_on_file_size_is_no_space_and_no_signal) {
  const auto store = Open(dir.Sparse("disk.img", 4 * kMebi));
  {
    const FileSizeLimit limit(kMebi);
    BOOST_TEST((Write(*store, 0, "01"_hex) == StoreOutcome::kOk));
    BOOST_TEST((Write(*store, 2 * kMebi, "01"_hex) == StoreOutcome::kNoSpace));
    // The first half fits, the second does not.
    BOOST_TEST((Write(*store, kMebi - 512, Filled(1024, 1)) == StoreOutcome::kNoSpace));
  }
  BOOST_TEST((Write(*store, 2 * kMebi, "01"_hex) == StoreOutcome::kOk));
}

BOOST_AUTO_TEST_CASE(a_full_file_system_is_no_space_and_can_still_be_read) {
  TempDir mount_dir;
  const SmallFileSystem small(mount_dir.path(""));
  if (!small.mounted()) {
    Skip("a tmpfs of its own may not be mounted here");
    return;
  }
  std::ofstream(small.path("disk.img")).close();
  std::filesystem::resize_file(small.path("disk.img"), 16 * kMebi);
  const auto store = Open(small.path("disk.img"));
  const auto data = Pattern(kMebi, 1);
  BOOST_TEST((Write(*store, 0, data) == StoreOutcome::kOk));

  StoreOutcome outcome = StoreOutcome::kOk;
  for (uint64_t offset = kMebi; offset < 4 * kMebi && outcome == StoreOutcome::kOk;
       offset += kMebi / 2) {
    outcome = Write(*store, offset, Filled(kMebi / 2, 2));
  }

  BOOST_TEST((outcome == StoreOutcome::kNoSpace));
  BOOST_TEST((Read(*store, 0, kMebi) == data));
  // A hole cannot be mapped when no page is left for it, but it can be read.
  BOOST_TEST(Read(*store, 8 * kMebi, 4096) == Filled(4096, 0));
  BOOST_TEST((Flush(*store) == StoreOutcome::kOk));
  BOOST_TEST((Unmap(*store, 0, kMebi) == StoreOutcome::kOk));
  BOOST_TEST((Write(*store, 8 * kMebi, "01"_hex) == StoreOutcome::kOk));
}

BOOST_AUTO_TEST_CASE(write_errors_have_their_names) {
  const auto store = Open(dir.Sparse("disk.img", kMebi));
  const struct {
    int error;
    StoreOutcome outcome;
  } cases[] = {{ENOSPC, StoreOutcome::kNoSpace},   {EDQUOT, StoreOutcome::kNoSpace},
               {EFBIG, StoreOutcome::kNoSpace},    {EIO, StoreOutcome::kWriteError},
               {EROFS, StoreOutcome::kWriteError}, {EINTR, StoreOutcome::kOk}};  // tried again
  for (const auto& [error, outcome] : cases) {
    failing_pwrite.Arm(error);
    BOOST_TEST((Write(*store, 0, "01"_hex) == outcome), error);
    BOOST_TEST(failing_pwrite.failed == 1);
  }
}

BOOST_AUTO_TEST_CASE(short_writes_go_on_where_they_ended) {
  const auto store = Open(dir.Sparse("disk.img", kMebi));
  const auto data = Pattern(10'000, 2);
  pwrite_length_max = 999;
  BOOST_TEST((Write(*store, 77, data) == StoreOutcome::kOk));
  pwrite_length_max = SIZE_MAX;
  BOOST_TEST(Read(*store, 77, data.size()) == data);
}

BOOST_AUTO_TEST_CASE(a_flush_that_failed_once_fails_until_the_image_is_opened_anew) {
  const std::string path = dir.Sparse("disk.img", kMebi);
  auto store = Open(path);
  BOOST_TEST((Write(*store, 0, "01"_hex) == StoreOutcome::kOk));

  failing_fdatasync.Arm(EIO);  // Linux reports it once, and calls the lost pages clean
  BOOST_TEST((Flush(*store) == StoreOutcome::kWriteError));
  BOOST_TEST(failing_fdatasync.failed == 1);

  BOOST_TEST((Flush(*store) == StoreOutcome::kWriteError));
  BOOST_TEST((Write(*store, 0, "02"_hex) == StoreOutcome::kOk));
  BOOST_TEST((Flush(*store) == StoreOutcome::kWriteError));
  BOOST_TEST(Read(*store, 0, 1)[0] == 2);
  store.reset();
  store = Open(path);
  BOOST_TEST((Flush(*store) == StoreOutcome::kOk));
}

BOOST_AUTO_TEST_CASE(flushes_in_flight_behind_one_that_fails_fail_too) {
  const auto store = Open(dir.Sparse("disk.img", kMebi));
  failing_fdatasync.Arm(ENOSPC);
  Operation first(StoreOp::Kind::kFlush, 0, 0), second(StoreOp::Kind::kFlush, 0, 0);
  first.Submit(*store);
  second.Submit(*store);
  Finish(first);
  Finish(second);
  BOOST_TEST((first.op.outcome == StoreOutcome::kNoSpace));
  BOOST_TEST((second.op.outcome == StoreOutcome::kNoSpace));
}

BOOST_AUTO_TEST_CASE(an_interrupted_flush_is_tried_again) {
  const auto store = Open(dir.Sparse("disk.img", kMebi));
  failing_fdatasync.Arm(EINTR, 3);
  BOOST_TEST((Flush(*store) == StoreOutcome::kOk));
  BOOST_TEST(failing_fdatasync.failed == 3);
}

BOOST_AUTO_TEST_CASE(where_holes_cannot_be_punched_zeros_are_written) {
  for (int error : {EOPNOTSUPP, EINVAL}) {
    const auto store = Open(dir.File("disk.img", Filled(kMebi, 0x66)));
    failing_fallocate.Arm(error);
    BOOST_TEST((Unmap(*store, 1000, 300'000) == StoreOutcome::kOk));
    BOOST_TEST(failing_fallocate.failed == 1);
    auto expected = Filled(kMebi, 0x66);
    std::fill_n(expected.begin() + 1000, 300'000, uint8_t{0});
    BOOST_TEST((Read(*store, 0, kMebi) == expected));
  }
}

BOOST_AUTO_TEST_CASE(an_unmap_that_fails_says_so) {
  const auto store = Open(dir.Sparse("disk.img", kMebi));
  failing_fallocate.Arm(EIO);
  BOOST_TEST((Unmap(*store, 0, 4096) == StoreOutcome::kWriteError));
  failing_fallocate.Arm(EOPNOTSUPP);
  failing_pwrite.Arm(ENOSPC);
  BOOST_TEST((Unmap(*store, 0, 4096) == StoreOutcome::kNoSpace));
  BOOST_TEST(failing_pwrite.failed == 1);
}

BOOST_AUTO_TEST_CASE(a_page_that_cannot_be_read_is_a_read_error) {
  const auto store = Open(dir.Sparse("disk.img", 4 * kMebi));
  failing_populate.Arm(EFAULT);
  failing_preadv2.Arm(EIO);
  BOOST_TEST((ReadOutcome(*store, 2 * kMebi, 4096) == StoreOutcome::kReadError));
  BOOST_TEST(failing_populate.failed == 1);
  BOOST_TEST(failing_preadv2.failed == 1);
  BOOST_TEST((ReadOutcome(*store, 2 * kMebi, 4096) == StoreOutcome::kOk));
}

// Under a limit of processes the store's thread was an exception that nobody caught.
BOOST_AUTO_TEST_CASE(without_a_helper_thread_an_operation_fails_and_the_next_may_not) {
  const std::string path = dir.File("disk.img", Pattern(kMebi, 6));
  const auto store = Open(path);
  BOOST_TEST((Write(*store, 0, "01"_hex) == StoreOutcome::kOk));
  failing_thread.Arm(EAGAIN, 2);
  Operation flush(StoreOp::Kind::kFlush, 0, 0), unmap(StoreOp::Kind::kUnmap, 0, 4096);
  BOOST_TEST(flush.Submit(*store));
  BOOST_TEST(unmap.Submit(*store));
  BOOST_TEST(failing_thread.failed == 2);
  BOOST_TEST((flush.op.outcome == StoreOutcome::kWriteError));
  BOOST_TEST((unmap.op.outcome == StoreOutcome::kWriteError));

  BOOST_TEST((Flush(*store) == StoreOutcome::kOk));
  BOOST_TEST(Read(*store, 0, 1)[0] == 1);
}

BOOST_AUTO_TEST_CASE(without_memory_for_a_job_an_operation_fails_and_the_next_may_not) {
  const auto store = Open(dir.Sparse("disk.img", 4 * kMebi));
  Operation read(StoreOp::Kind::kRead, 2 * kMebi, 4096);
  failing_new.Arm(ENOMEM);
  const bool at_once = read.Submit(*store);
  BOOST_TEST(failing_new.failed == 1);
  BOOST_TEST(at_once);
  BOOST_TEST((read.op.outcome == StoreOutcome::kReadError));
  BOOST_TEST(Read(*store, 2 * kMebi, 4096) == Filled(4096, 0));
}

BOOST_AUTO_TEST_CASE(without_memory_for_a_copy_a_read_fails_and_the_next_may_not) {
  const auto store = Open(dir.Sparse("disk.img", 4 * kMebi));
  BOOST_TEST((Flush(*store) == StoreOutcome::kOk));  // makes the job and the thread
  Operation read(StoreOp::Kind::kRead, 2 * kMebi, 4096);
  const std::function<bool()> done = [&] { return read.answers != 0; };
  failing_populate.Arm(EFAULT);
  failing_new.Arm(ENOMEM);
  read.Submit(*store);
  loop.RunUntil(done);
  BOOST_TEST(failing_populate.failed == 1);
  BOOST_TEST(failing_new.failed == 1);
  BOOST_TEST((read.op.outcome == StoreOutcome::kReadError));
  BOOST_TEST(Read(*store, 2 * kMebi, 4096) == Filled(4096, 0));
}

BOOST_AUTO_TEST_CASE(an_error_beyond_what_was_asked_is_not_told) {
  const auto store = Open(dir.Sparse("disk.img", 4 * kMebi));
  Operation read(StoreOp::Kind::kRead, 0, 4096);
  failing_populate.Arm(EFAULT, 0);
  BOOST_TEST((Do(*store, read) == StoreOutcome::kOk));  // sequential: the rest of the stretch too
}

BOOST_AUTO_TEST_CASE(a_system_that_cannot_populate_reads_copies) {
  const auto content = Pattern(4 * kMebi, 3);
  const std::string path = dir.File("disk.img", content);
  const auto store = Open(path);
  const int fd = open(path.c_str(), O_RDWR);
  fdatasync(fd);
  BOOST_TEST(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
  close(fd);
  failing_populate.Arm(EINVAL, 1000);
  Operation read(StoreOp::Kind::kRead, 2 * kMebi + 5, 10'000);
  if (read.Submit(*store)) {
    Skip("this file system does not let go of its cached pages");
    failing_populate.Arm(0, 0);
    return;
  }
  // Written meanwhile: the copy may hold half of it, so it is read again.
  BOOST_TEST((Write(*store, 2 * kMebi + 6, "ff"_hex) == StoreOutcome::kOk));
  Finish(read);
  failing_populate.Arm(0, 0);

  auto expected =
      std::vector<uint8_t>(content.begin() + 2 * kMebi + 5, content.begin() + 2 * kMebi + 10'005);
  expected[1] = 0xff;
  BOOST_TEST((read.op.outcome == StoreOutcome::kOk));
  BOOST_TEST(read.content() == expected);
}

BOOST_AUTO_TEST_CASE(an_image_truncated_under_us_is_a_read_error) {
  const std::string path = dir.File("disk.img", Pattern(4 * kMebi, 4));
  const auto store = Open(path);
  Read(*store, 2 * kMebi, 4096);

  std::filesystem::resize_file(path, kMebi);

  BOOST_TEST((ReadOutcome(*store, 2 * kMebi, 4096) == StoreOutcome::kReadError));
  BOOST_TEST((ReadOutcome(*store, 0, 4096) == StoreOutcome::kOk));
  BOOST_TEST((ReadOutcome(*store, kMebi - 512, 1024) == StoreOutcome::kReadError));
  BOOST_TEST((Flush(*store) == StoreOutcome::kWriteError));
}

BOOST_AUTO_TEST_CASE(an_image_truncated_under_a_lease_is_told_with_the_next_read) {
  const auto content = Pattern(4 * kMebi, 5);
  const std::string path = dir.File("disk.img", content);
  const auto store = Open(path);
  Operation read(StoreOp::Kind::kRead, 2 * kMebi, 100'000);
  Do(*store, read);

  std::filesystem::resize_file(path, kMebi);

  BOOST_TEST(read.content() == Filled(100'000, 0));  // no better answer is left, but no signal
  BOOST_TEST((ReadOutcome(*store, 0, 4096) == StoreOutcome::kReadError));
  BOOST_TEST((ReadOutcome(*store, 0, 4096) == StoreOutcome::kOk));
  BOOST_TEST((ReadOutcome(*store, 2 * kMebi, 4096) == StoreOutcome::kReadError));
}

BOOST_AUTO_TEST_CASE(after_a_fault_the_file_itself_is_read_not_the_zeros) {
  const std::string path = dir.File("disk.img", Filled(2 * kMebi, 0x66));
  const auto store = Open(path);
  Operation lost(StoreOp::Kind::kRead, kMebi, 4096);
  Do(*store, lost);
  std::filesystem::resize_file(path, kMebi);
  lost.content();
  std::filesystem::resize_file(path, 2 * kMebi);
  BOOST_TEST((ReadOutcome(*store, kMebi, 4096) == StoreOutcome::kReadError));

  BOOST_TEST((Write(*store, kMebi, Filled(4096, 0x11)) == StoreOutcome::kOk));

  BOOST_TEST(Read(*store, kMebi, 4096) == Filled(4096, 0x11));
  BOOST_TEST(Read(*store, 0, 4096) == Filled(4096, 0x66));
}

BOOST_AUTO_TEST_CASE(a_write_over_a_lease_on_lost_pages_is_no_signal_either) {
  const std::string path = dir.File("disk.img", Filled(2 * kMebi, 0x66));
  const auto store = Open(path);
  Operation lease(StoreOp::Kind::kRead, kMebi, 4096);
  Do(*store, lease);
  std::filesystem::resize_file(path, kMebi);
  BOOST_TEST((Write(*store, kMebi, Filled(4096, 0x11)) == StoreOutcome::kOk));
  BOOST_TEST(lease.content() == Filled(4096, 0));
}

BOOST_AUTO_TEST_SUITE_END()
