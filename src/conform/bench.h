// Bench: the device under test as the cases use it: raw transfers on the bulk pipes of its storage,
// requests, SCSI commands through its transport, and how it is made ready between two cases.
// Nothing here waits for ever: a transfer that does not end in time is cancelled.
#pragma once

#include <vector>

#include "conform/case.h"
#include "host/session.h"
#include "proto/scsi_command.h"

namespace usbtwin::conform {

struct BenchOptions {
  uint8_t lun = 0;
  Duration timeout = std::chrono::seconds(5);  // of one transfer or command
};

class Bench final : private Timer {
 public:
  // After OpenStorage; all of it outlives the bench.
  Bench(Clock& clock, host::Session& session, host::ScsiTransport& transport, BenchOptions options);
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  ~Bench() { CHECK(waiting_for_ == nullptr); }

  host::Session& session() { return session_; }
  const host::StorageChoice& storage() const { return session_.storage(); }
  uint8_t lun() const { return options_.lun; }
  // As the suite's preparation learnt it.
  void SetMedium(uint32_t block_size, uint64_t blocks_count) {
    block_size_ = block_size;
    blocks_count_ = block_size == 0 ? 0 : blocks_count;
  }
  bool has_medium() const { return blocks_count_ != 0; }
  uint32_t block_size() const { return block_size_; }      // bytes
  uint64_t blocks_count() const { return blocks_count_; }  // 0 without medium

  // ---- Transfers ----
  struct Moved {
    usb::Outcome outcome = usb::Outcome::kPending;  // kTimedOut where it had to be cancelled
    uint32_t length = 0;
    bool ok() const { return outcome == usb::Outcome::kOk; }
    bool stalled() const { return outcome == usb::Outcome::kStall; }
  };
  // `stream_id`: 0 where the pipe has no streams.
  async::Task<Moved> Send(usb::EndpointAddress endpoint, uint16_t stream_id, Bytes data);
  // Into room(), which is 0xa5 before.
  async::Task<Moved> Receive(usb::EndpointAddress endpoint, uint16_t stream_id,
                             uint32_t length_max);
  // On Bulk-Out and Bulk-In.
  async::Task<Moved> Out(Bytes data);
  async::Task<Moved> In(uint32_t length_max);
  Bytes room() const { return room_; }

  // ---- Requests ----
  async::Task<Result<uint32_t>> Request(host::ControlRequest request);
  async::Task<bool> ClearHalt(usb::EndpointAddress endpoint);
  // GET_STATUS of the endpoint; nullopt where the device does not say.
  async::Task<std::optional<bool>> IsHalted(usb::EndpointAddress endpoint);
  // Bulk-Only Mass Storage Reset, then both halts cleared. BOT 1.0, 5.3.4.
  async::Task<bool> RecoverBulkOnly();
  async::Task<Result<uint32_t>> MassStorageReset();

  // ---- Commands, through the transport ----
  struct Answer {
    std::optional<Error> error;  // the transport failed
    host::ScsiResult result;
    std::vector<uint8_t> data;  // as many bytes as came
    bool good() const { return !error && result.status == scsi::Status::kGood; }
  };
  async::Task<Answer> Ask(scsi::Cdb cdb, uint32_t in_length);
  async::Task<Answer> Tell(scsi::Cdb cdb, Bytes out);

 private:
  async::Task<Moved> Move();
  void HandleTimer() override;

  Clock& clock_;
  host::Session& session_;
  host::ScsiTransport& transport_;
  const BenchOptions options_;
  uint32_t block_size_ = 0;
  uint64_t blocks_count_ = 0;
  std::vector<uint8_t> room_;
  usb::Transfer transfer_;
  usb::Transfer* waiting_for_ = nullptr;
  bool timed_out_ = false;
};

// The preparation of suites that need no more than a transport.
async::Task<std::string> PrepareUnit(Bench& bench);

// "status CHECK CONDITION, sense 05/21/00", or the transport's error.
std::string Describe(const Bench::Answer& answer);
// "" where the answer is CHECK CONDITION with just this sense.
std::string ExpectSense(const Bench::Answer& answer, scsi::SenseKey key, uint8_t asc, uint8_t ascq);
// "" where the answer is good and brought `length` bytes.
std::string ExpectData(const Bench::Answer& answer, size_t length);

}  // namespace usbtwin::conform
