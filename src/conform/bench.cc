#include "conform/bench.h"

#include "async/perform.h"
#include "base/text.h"
#include "wire/scsi_data.h"

namespace usbtwin::conform {

using usb::Outcome;

namespace {

constexpr uint8_t kClassOut = 0x21;  // bmRequestType: class request to an interface
constexpr uint8_t kNoMedium = 0x3a;  // additional sense code
constexpr int kReadyTriesMax = 20;   // a unit attention each, or a medium that spins up
constexpr Duration kReadyPause = std::chrono::milliseconds(100);

// Two digits.
std::string HexByte(uint8_t byte) {
  return HexId(byte).substr(2);
}

std::string SenseText(const scsi::Sense& sense) {
  return HexByte(static_cast<uint8_t>(sense.key)) + "/" + HexByte(sense.asc) + "/" +
         HexByte(sense.ascq);
}

}  // namespace

const char* Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass: return "pass";
    case Verdict::kFail: return "fail";
    case Verdict::kSkip: return "skip";
  }
  return "";
}

Bench::Bench(Clock& clock, host::Session& session, host::ScsiTransport& transport,
             BenchOptions options)
    : clock_(clock), session_(session), transport_(transport), options_(options) {}

// ---- Transfers ----

async::Task<Bench::Moved> Bench::Send(usb::EndpointAddress endpoint, uint16_t stream_id,
                                      Bytes data) {
  transfer_.endpoint = endpoint;
  transfer_.stream_id = stream_id;
  transfer_.out = data;
  transfer_.in = {};
  transfer_.in_length_max = 0;
  const Moved moved = co_await Move();
  co_return moved;
}

async::Task<Bench::Moved> Bench::Receive(usb::EndpointAddress endpoint, uint16_t stream_id,
                                         uint32_t length_max) {
  room_.assign(length_max, 0xa5);
  transfer_.endpoint = endpoint;
  transfer_.stream_id = stream_id;
  transfer_.out = {};
  transfer_.in = room_;
  transfer_.in_length_max = length_max;
  const Moved moved = co_await Move();
  co_return moved;
}

async::Task<Bench::Moved> Bench::Out(Bytes data) {
  const Moved moved = co_await Send(storage().bulk_out.address, 0, data);
  co_return moved;
}

async::Task<Bench::Moved> Bench::In(uint32_t length_max) {
  const Moved moved = co_await Receive(storage().bulk_in.address, 0, length_max);
  co_return moved;
}

async::Task<Bench::Moved> Bench::Move() {
  timed_out_ = false;
  waiting_for_ = &transfer_;
  clock_.Arm(*this, clock_.Now() + options_.timeout);
  Outcome outcome = co_await async::Perform(session_.control().link(), transfer_);
  clock_.Disarm(*this);
  waiting_for_ = nullptr;
  if (outcome == Outcome::kCancelled && timed_out_) outcome = Outcome::kTimedOut;
  co_return Moved{outcome, transfer_.length_actual};
}

void Bench::HandleTimer() {
  timed_out_ = true;
  session_.control().link().Cancel(*waiting_for_);
}

// ---- Requests ----

async::Task<Result<uint32_t>> Bench::Request(host::ControlRequest request) {
  request.timeout = options_.timeout;
  const Result<uint32_t> done = co_await session_.control().Transfer(request);
  co_return done;
}

async::Task<bool> Bench::ClearHalt(usb::EndpointAddress endpoint) {
  const usb::PortRequest request = usb::ClearHalt{endpoint};
  const Result<void> cleared = co_await session_.control().Request(request);
  co_return cleared.has_value();
}

async::Task<std::optional<bool>> Bench::IsHalted(usb::EndpointAddress endpoint) {
  std::array<uint8_t, 2> status{};
  host::ControlRequest request;
  request.request_type = 0x82;  // standard, from an endpoint
  request.request = 0x00;       // GET_STATUS
  request.index = endpoint.value;
  request.in = status;
  const Result<uint32_t> told = co_await Request(request);
  if (!told || *told != status.size()) co_return std::optional<bool>();
  co_return std::optional<bool>((status[0] & 1) != 0);
}

async::Task<Result<uint32_t>> Bench::MassStorageReset() {
  host::ControlRequest request;
  request.request_type = kClassOut;
  request.request = wire::bot::kRequestReset;
  request.index = storage().interface_number;
  const Result<uint32_t> done = co_await Request(request);
  co_return done;
}

async::Task<bool> Bench::RecoverBulkOnly() {
  const Result<uint32_t> reset = co_await MassStorageReset();
  const bool in_cleared = co_await ClearHalt(storage().bulk_in.address);
  const bool out_cleared = co_await ClearHalt(storage().bulk_out.address);
  co_return reset.has_value() && in_cleared&& out_cleared;
}

// ---- Commands ----

async::Task<Bench::Answer> Bench::Ask(scsi::Cdb cdb, uint32_t in_length) {
  Answer answer;
  answer.data.assign(in_length, 0xa5);
  host::ScsiRequest request;
  request.lun = options_.lun;
  request.cdb = cdb.view();
  request.in = answer.data;
  request.in_length = in_length;
  request.timeout = options_.timeout;
  const Result<host::ScsiResult> done = co_await transport_.Execute(request);
  if (done) answer.result = *done;
  if (!done) answer.error = done.error();
  answer.data.resize(done ? std::min(in_length, done->length_actual) : 0);
  co_return answer;
}

async::Task<Bench::Answer> Bench::Tell(scsi::Cdb cdb, Bytes out) {
  Answer answer;
  host::ScsiRequest request;
  request.lun = options_.lun;
  request.cdb = cdb.view();
  request.out = out;
  request.timeout = options_.timeout;
  const Result<host::ScsiResult> done = co_await transport_.Execute(request);
  if (done) answer.result = *done;
  if (!done) answer.error = done.error();
  co_return answer;
}

// ---- Preparation ----

namespace {

async::Task<void> LearnMedium(Bench& bench) {
  const Bench::Answer ten = co_await bench.Ask(scsi::ReadCapacity10(), 8);
  const auto* capacity = wire::View<wire::scsi::Capacity10>(ten.data);
  if (!ten.good() || capacity == nullptr) co_return;
  bench.SetMedium(capacity->block_length, uint64_t{capacity->lba_final} + 1);
  if (capacity->lba_final != UINT32_MAX) co_return;
  const Bench::Answer sixteen = co_await bench.Ask(scsi::ReadCapacity16(32), 32);
  const auto* large = wire::View<wire::scsi::Capacity16>(sixteen.data);
  if (!sixteen.good() || large == nullptr) co_return;
  bench.SetMedium(large->block_length, uint64_t{large->lba_final} + 1);
}

}  // namespace

async::Task<std::string> PrepareUnit(Bench& bench) {
  bench.SetMedium(0, 0);
  for (int tries = 0; tries < kReadyTriesMax; ++tries) {
    const Bench::Answer ready = co_await bench.Ask(scsi::TestUnitReady(), 0);
    if (ready.error) co_return "TEST UNIT READY: " + Describe(ready);
    const scsi::Sense& sense = ready.result.sense;
    const bool told = ready.result.sense_valid;
    if (told && sense.key == scsi::SenseKey::kNotReady && sense.asc == kNoMedium) {
      co_return std::string();
    }
    if (ready.good()) {
      co_await LearnMedium(bench);
      co_return std::string();
    }
    const bool attention = told && sense.key == scsi::SenseKey::kUnitAttention;
    if (!attention) co_await async::Sleep(kReadyPause);
  }
  co_return "the unit is not ready after " + std::to_string(kReadyTriesMax) + " x TEST UNIT READY";
}

std::string Describe(const Bench::Answer& answer) {
  if (answer.error) return answer.error->Describe();
  std::string text = std::string("status ") + scsi::Name(answer.result.status);
  if (answer.result.sense_valid) text += ", sense " + SenseText(answer.result.sense);
  return text;
}

std::string ExpectSense(const Bench::Answer& answer, scsi::SenseKey key, uint8_t asc,
                        uint8_t ascq) {
  const scsi::Sense& sense = answer.result.sense;
  const bool expected = !answer.error && answer.result.status == scsi::Status::kCheckCondition &&
                        answer.result.sense_valid && sense.key == key && sense.asc == asc &&
                        sense.ascq == ascq;
  if (expected) return "";
  return Describe(answer) + "; expected check condition, sense " +
         SenseText({.key = key, .asc = asc, .ascq = ascq});
}

std::string ExpectData(const Bench::Answer& answer, size_t length) {
  if (!answer.good()) return Describe(answer) + "; expected good";
  if (answer.data.size() == length) return "";
  return Count(answer.data.size(), "byte") + " came, expected " + std::to_string(length);
}

}  // namespace usbtwin::conform
