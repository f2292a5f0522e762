#include "os/linux/bus_guard.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <cstdio>

#include "os/linux/file_descriptor.h"
#include "tests/os/temp_dir.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::os;     // NOLINT
using namespace usbtwin::tests;  // NOLINT

namespace {

constexpr uint64_t kPage = 4096;

uint8_t Touch(Bytes bytes, size_t offset) {
  return *static_cast<const volatile uint8_t*>(bytes.data() + offset);
}

// How a child that runs `work` ended: its exit code, or minus the signal.
template <class Work>
int EndOf(Work work) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    std::signal(SIGBUS, SIG_DFL);
    work();
    _exit(0);
  }
  int status = 0;
  BOOST_TEST_REQUIRE(waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

// A page that cannot be read, mapped without protection.
Bytes BadPage(int fd) {
  const void* start = mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, 1 << 20);
  CHECK(start != MAP_FAILED);
  return {static_cast<const uint8_t*>(start), kPage};
}

struct GuardFixture {
  TempDir dir;
  std::string path = dir.File("file", std::vector<uint8_t>(4 * kPage, 0x77));
  FileDescriptor fd{open(path.c_str(), O_RDWR | O_CLOEXEC)};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(bus_guard, GuardFixture)

BOOST_AUTO_TEST_CASE(pages_that_went_away_are_zeros_and_a_fault) {
  const auto mapping = GuardedMapping::Map(fd.get(), 4 * kPage);
  BOOST_TEST_REQUIRE(mapping != nullptr);
  BOOST_TEST(Touch(mapping->bytes(), 3 * kPage) == 0x77);
  BOOST_TEST(!mapping->broken());

  BOOST_TEST(ftruncate(fd.get(), 2 * kPage) == 0);

  BOOST_TEST(Touch(mapping->bytes(), 2 * kPage - 1) == 0x77);
  BOOST_TEST(Touch(mapping->bytes(), 2 * kPage) == 0);
  BOOST_TEST(Touch(mapping->bytes(), 4 * kPage - 1) == 0);
  BOOST_TEST(mapping->TakeFault());
  BOOST_TEST(!mapping->TakeFault());
  BOOST_TEST(mapping->broken());
}

BOOST_AUTO_TEST_CASE(each_mapping_has_its_own_faults) {
  const auto first = GuardedMapping::Map(fd.get(), 4 * kPage);
  auto second = GuardedMapping::Map(fd.get(), 4 * kPage);
  BOOST_TEST(ftruncate(fd.get(), 0) == 0);
  BOOST_TEST(Touch(second->bytes(), 5) == 0);
  BOOST_TEST(!first->broken());
  BOOST_TEST(second->broken());
  second.reset();
  const auto third = GuardedMapping::Map(fd.get(), 4 * kPage);
  BOOST_TEST(!third->broken());
}

BOOST_AUTO_TEST_CASE(a_fault_elsewhere_ends_the_process_as_before) {
  const int end = EndOf([&] {
    const auto mapping = GuardedMapping::Map(fd.get(), 4 * kPage);
    Touch(BadPage(fd.get()), 0);
  });
  BOOST_TEST(end == -SIGBUS);
}

BOOST_AUTO_TEST_CASE(a_fault_elsewhere_reaches_the_handler_that_was_there) {
  const int end = EndOf([&] {
    std::signal(SIGBUS, [](int) { _exit(42); });
    const auto mapping = GuardedMapping::Map(fd.get(), 4 * kPage);
    Touch(BadPage(fd.get()), 0);
  });
  BOOST_TEST(end == 42);
}

BOOST_AUTO_TEST_CASE(a_signal_that_was_sent_is_no_fault) {
  const int end = EndOf([&] {
    const auto mapping = GuardedMapping::Map(fd.get(), 4 * kPage);
    raise(SIGBUS);
  });
  BOOST_TEST(end == -SIGBUS);
}

BOOST_AUTO_TEST_CASE(the_handler_goes_with_the_last_mapping) {
  const int end = EndOf([&] {
    std::signal(SIGBUS, [](int) { _exit(42); });
    auto first = GuardedMapping::Map(fd.get(), 4 * kPage);
    auto second = GuardedMapping::Map(fd.get(), 4 * kPage);
    first.reset();
    struct sigaction current = {};
    sigaction(SIGBUS, nullptr, &current);
    if ((current.sa_flags & SA_SIGINFO) == 0) _exit(1);  // ours is there as long as one is
    second.reset();
    sigaction(SIGBUS, nullptr, &current);
    if ((current.sa_flags & SA_SIGINFO) != 0) _exit(2);
    raise(SIGBUS);
  });
  BOOST_TEST(end == 42);
}

BOOST_AUTO_TEST_CASE(one_mapping_too_many_is_refused_not_fatal) {
  std::vector<std::unique_ptr<GuardedMapping>> mappings;
  while (mappings.size() < 1000) {
    auto mapping = GuardedMapping::Map(fd.get(), kPage);
    if (mapping == nullptr) break;
    mappings.push_back(std::move(mapping));
  }
  BOOST_TEST(mappings.size() == 64u);
  mappings.pop_back();
  BOOST_TEST(GuardedMapping::Map(fd.get(), kPage) != nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
