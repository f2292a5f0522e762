// A transport whose answers are a script, for what no disk does on demand, and a block device on
// it.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "host/block_device.h"
#include "tests/host/run.h"

namespace usbtwin::tests {

// The answer to one command. Data is cut to what was asked for.
struct Answer {
  std::optional<Error> error;
  host::ScsiResult result;
  std::vector<uint8_t> data;
  std::optional<uint32_t> length_actual;  // of data that is not as long as `data`
};

inline Answer Good() {
  return {};
}
inline Answer Data(Bytes bytes) {
  return {.data = {bytes.begin(), bytes.end()}};
}
inline Answer Broken(ErrorKind kind) {
  return {.error = Error{.kind = kind, .phase = Phase::kDataIn}};
}
inline Answer Only(scsi::Status status) {
  return {.result = {.status = status}};
}
inline Answer Check(scsi::SenseKey key, uint8_t asc = 0, uint8_t ascq = 0) {
  return {.result = {.status = scsi::Status::kCheckCondition,
                     .sense_valid = true,
                     .sense = {.key = key, .asc = asc, .ascq = ascq}}};
}

// Where the script has ended, every command succeeds with all its data.
class ScriptTransport final : public host::ScsiTransport {
 public:
  void Add(Answer answer) { script_.push_back(std::move(answer)); }
  void Add(Answer answer, size_t times) {
    for (size_t time = 0; time < times; ++time) Add(answer);
  }
  bool used_up() const { return script_.empty(); }
  std::vector<std::string> cdbs;  // as they were sent
  std::vector<Duration> timeouts;

  const char* name() const override { return "script"; }
  uint16_t queue_depth() const override { return 1; }
  uint8_t luns_count() const override { return 1; }
  uint32_t cdb_length_max() const override { return 16; }
  bool lends_data() const override { return lends; }
  async::Task<Result<host::ScsiResult>> Execute(host::ScsiRequest request) override {
    cdbs.push_back(Hex(request.cdb, 0));
    timeouts.push_back(request.timeout);
    const uint32_t asked = request.in_length + static_cast<uint32_t>(request.out.size());
    if (script_.empty()) {
      if (request.lent != nullptr) request.lent->AppendOrCopy(OwnedPin::Make(asked).first);
      co_return host::ScsiResult{.length_actual = asked};
    }
    Answer answer = std::move(script_.front());
    script_.pop_front();
    if (answer.error) co_return *answer.error;
    if (request.lent != nullptr && !answer.data.empty()) {
      request.lent->AppendOrCopy(OwnedPin::Make(static_cast<uint32_t>(answer.data.size())).first);
    }
    const auto length = static_cast<uint32_t>(CopyBytes(request.in, answer.data));
    answer.result.length_actual = answer.length_actual.value_or(length);
    co_return answer.result;
  }

  const char* last_recovery() const override { return ""; }
  uint64_t reopenings_count() const override { return reopenings; }
  std::vector<host::RecoveryCount> recoveries() const override { return {}; }

  bool lends = false;
  uint64_t reopenings = 0;

 private:
  std::deque<Answer> script_;
};

inline constexpr auto kInquiryData =
    "00 00 06 02 1f 000000"
    "41434d4520202020"                   // "ACME    "
    "4469736b2020202020202020 20202020"  // "Disk            "
    "312e3220"_hex;                      // "1.2 "
inline constexpr auto kRemovableData =
    "00 80 06 02 1f 000000"
    "41434d4520202020 4469736b2020202020202020 20202020 312e3220"_hex;
inline constexpr auto kCapacityData = "000003ff 00000200"_hex;  // 1024 blocks of 512 bytes

struct BlockBench {
  void ScriptOpen(Bytes inquiry = kInquiryData, Bytes capacity = kCapacityData) {
    transport.Add(Data(inquiry));
    transport.Add(Good());
    transport.Add(Data(capacity));
  }
  // An open device, with the log of commands empty.
  host::BlockDevice& Opened(Bytes inquiry = kInquiryData, Bytes capacity = kCapacityData) {
    ScriptOpen(inquiry, capacity);
    BOOST_REQUIRE(Open().has_value());
    transport.cdbs.clear();
    transport.timeouts.clear();
    return *device;
  }
  host::BlockResult Open() {
    device.emplace(transport, options);
    return Run(clock, device->Open());
  }
  host::BlockResult Read(uint64_t lba, size_t blocks_count) {
    room.assign(blocks_count * device->facts().block_size, 0xa5);
    return Run(clock, device->Read(lba, room));
  }
  host::BlockResult Write(uint64_t lba, size_t blocks_count) {
    room.assign(blocks_count * device->facts().block_size, 0x5a);
    return Run(clock, device->Write(lba, room));
  }
  void CheckCdbs(const std::vector<std::string>& expected) const {
    BOOST_TEST(transport.cdbs == expected, boost::test_tools::per_element());
  }
  Duration elapsed() const { return clock.Now() - TimePoint{}; }

  ManualClock clock;
  ScriptTransport transport;
  host::BlockDeviceOptions options;
  std::optional<host::BlockDevice> device;
  std::vector<uint8_t> room;
};

inline const std::string kInquiryCdb = "120000002400";
inline const std::string kReadyCdb = "000000000000";
inline const std::string kCapacityCdb = "25000000000000000000";
inline const std::string kLongCapacityCdb = "9e100000000000000000000000200000";
inline const std::string kReadFirstCdb = "28000000000000000100";  // one block at LBA 0

}  // namespace usbtwin::tests
