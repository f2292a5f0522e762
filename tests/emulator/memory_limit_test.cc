// What a memory store does where there is no memory: the operation fails, and nothing else. The
// allocations that may fail are those by new (std::nothrow), which this file replaces.
#include <sys/resource.h>

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <new>

#include "tests/dies.h"
#include "tests/emulator/disk_rig.h"

namespace {
int allocations_left = -1;  // that many still succeed; negative: all
int failures = 0;

bool Fails() {
  if (allocations_left < 0) return false;
  if (allocations_left-- > 0) return false;
  allocations_left = -1;  // the next one succeeds again
  ++failures;
  return true;
}
}  // namespace

void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return Fails() ? nullptr : ::operator new(size);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return Fails() ? nullptr : ::operator new[](size);
}
void* operator new(size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return Fails() ? nullptr : ::operator new(size, alignment);
}

using namespace usbtwin;            // NOLINT
using namespace usbtwin::emulator;  // NOLINT
using namespace usbtwin::tests;     // NOLINT
using scsi::Status;

namespace {

struct FailingMemory {
  explicit FailingMemory(int successes) {
    allocations_left = successes;
    failures = 0;
  }
  ~FailingMemory() { allocations_left = -1; }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(memory_limit)

BOOST_AUTO_TEST_CASE(the_largest_disks_need_little_memory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  std::puts("SKIP: the_largest_disks_need_little_memory: sanitizers need terabytes of addresses");
#else
  BOOST_TEST(!Dies([] {
    const rlimit limit{uint64_t{1} << 30, uint64_t{1} << 30};
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    std::vector<std::unique_ptr<MemoryStore>> stores;
    for (int unit = 0; unit < 16; ++unit) {
      stores.push_back(std::make_unique<MemoryStore>(MemoryStore::kSizeMax));
      StoreOp op;
      op.kind = StoreOp::Kind::kWrite;
      const std::array<uint8_t, 512> block{};
      op.offset = MemoryStore::kSizeMax - block.size();
      op.length = block.size();
      op.data = block;
      CHECK(stores.back()->Submit(op));
      CHECK(op.outcome == StoreOutcome::kOk);
    }
  }));
#endif
}

// Branch, leaf and page of the table.
BOOST_DATA_TEST_CASE(a_write_without_memory_is_a_medium_error,
                     boost::unit_test::data::make({0, 1, 2}), successes) {
  DiskRig rig;
  const std::vector<uint8_t> data = Pattern(512);
  {
    const FailingMemory failing(successes);
    rig.host.Do(scsi::Write10(5, 1), data);
    BOOST_TEST(failures == 1);
  }
  BOOST_TEST(rig.host.sense() == "f0 00 03 00 00 00 05 0a 00 00 00 00 0c 00 00 00 00 00");
  BOOST_TEST(rig.host.command.length_out == 0u);
  rig.host.Do(scsi::Read10(5, 1));
  BOOST_TEST(rig.host.in == std::vector<uint8_t>(512));
  BOOST_TEST((rig.host.Do(scsi::Write10(5, 1), data) == Status::kGood));
  rig.host.Do(scsi::Read10(5, 1));
  BOOST_TEST(rig.host.in == data);
}

BOOST_AUTO_TEST_CASE(a_read_without_memory_is_a_medium_error) {
  DiskRig rig;
  {
    const FailingMemory failing(0);
    rig.host.Do(scsi::Read10(5, 1));
    BOOST_TEST(failures == 1);
  }
  BOOST_TEST(rig.host.sense() == "f0 00 03 00 00 00 05 0a 00 00 00 00 11 00 00 00 00 00");
  BOOST_TEST((rig.host.Do(scsi::Read10(5, 1)) == Status::kGood));
}

BOOST_AUTO_TEST_CASE(lent_bytes_that_cannot_be_copied_are_not_written_over) {
  DiskRig rig;
  const std::vector<uint8_t> before = Pattern(512);
  const std::vector<uint8_t> after = Pattern(512, 0x80);
  rig.host.Do(scsi::Write10(5, 1), before);
  Initiator reader(rig.clock, rig.disk, 1);
  reader.ForgetAttentions();
  reader.Do(scsi::Read10(5, 1));
  BOOST_TEST(!reader.command.data.empty());  // still on loan
  {
    const FailingMemory failing(0);
    rig.host.Do(scsi::Write10(5, 1), after);
    BOOST_TEST(failures == 1);
  }
  BOOST_TEST(rig.host.codes() == "03/0c/00");
  reader.Do(scsi::Read10(5, 1));
  BOOST_TEST(reader.in == before);
  reader.command.data.Reset();
  BOOST_TEST((rig.host.Do(scsi::Write10(5, 1), after) == Status::kGood));
}

BOOST_AUTO_TEST_SUITE_END()
