// Logs, buffers, the list of commands, mode parameters and reservations. SPC-4.
#include <algorithm>

#include "base/text.h"
#include "conform/scsi_cases.h"
#include "wire/scsi_reservation.h"
#include "wire/scsi_unit.h"

namespace usbtwin::conform {

namespace {

using Answer = Bench::Answer;
using scsi::Cdb;
using scsi::Status;
using wire::scsi::ReserveIn;
using wire::scsi::ReserveOut;

std::string HexCode(uint8_t code) {
  return HexId(code).substr(2) + "h";
}

// ---- LOG SENSE ----

async::Task<Answer> LogPage(Bench& bench, uint8_t page) {
  const Cdb cdb = scsi::LogSense({.page = page, .allocation_length = kPageLengthMax});
  const Answer answer = co_await bench.Ask(cdb, kPageLengthMax);
  co_return answer;
}

async::Task<Finding> LogPages(Bench& bench) {
  const Answer list = co_await LogPage(bench, 0);
  if (IsUnknown(list)) co_return NotSupported("LOG SENSE");
  if (!list.good()) co_return Fail("page 00h: " + Describe(list));
  const size_t length = NumberAt(list.data, 2, 2);
  if (list.data.size() != std::min<size_t>(4 + length, kPageLengthMax)) {
    co_return Fail("page 00h does not have the length that it says");
  }
  const Bytes codes = Bytes(list.data).subspan(4);
  if (codes.empty() || codes[0] != 0) co_return Fail("page 00h does not list itself first");
  for (const uint8_t code : codes) {
    const Answer page = co_await LogPage(bench, code);
    if (!page.good()) co_return Fail("page " + HexCode(code) + " is listed: " + Describe(page));
    if (page.data.size() < 4 || (page.data[0] & 0x3f) != code) {
      co_return Fail("page " + HexCode(code) + " does not have its PAGE CODE");
    }
  }
  co_return Pass();
}

// 39h to 3Eh would be vendor specific.
async::Task<Finding> LogUnknown(Bench& bench) {
  const Answer list = co_await LogPage(bench, 0);
  if (IsUnknown(list)) co_return NotSupported("LOG SENSE");
  const Answer answer = co_await LogPage(bench, 0x2b);
  co_return Judge(ExpectRefused(answer, 0x24));
}

// ---- What commands there are ----

async::Task<Answer> OneOpcode(Bench& bench, uint8_t options, uint8_t opcode, uint16_t action) {
  const Cdb cdb = scsi::ReportOpcodes(
      {.options = options, .opcode = opcode, .service_action = action, .allocation_length = 64});
  const Answer answer = co_await bench.Ask(cdb, 64);
  co_return answer;
}

async::Task<Finding> OpcodesAgree(Bench& bench) {
  constexpr uint32_t kLengthMax = 4096;
  const Cdb cdb = scsi::ReportOpcodes({.allocation_length = kLengthMax});
  const Answer all = co_await bench.Ask(cdb, kLengthMax);
  if (IsUnknown(all) || IsRefused(all, 0x24)) {
    co_return NotSupported("REPORT SUPPORTED OPERATION CODES");
  }
  if (!all.good()) co_return Fail(Describe(all));
  const size_t length = NumberAt(all.data, 0, 4);
  if (length % sizeof(wire::scsi::OpcodeDescriptor) != 0 || all.data.size() != 4 + length) {
    co_return Fail("COMMAND DATA LENGTH " + std::to_string(length) + ", and " +
                   Count(all.data.size(), "byte") + " came");
  }
  for (size_t place = 4; place < all.data.size(); place += 8) {
    const uint8_t opcode = all.data[place];
    const auto action = static_cast<uint16_t>(NumberAt(all.data, place + 2, 2));
    const bool has_action = (all.data[place + 5] & wire::scsi::kOpcodeServiceAction) != 0;
    const uint8_t options = has_action ? 2 : 1;
    const Answer one = co_await OneOpcode(bench, options, opcode, action);
    const bool supported = one.data.size() >= 5 && (one.data[1] & 0x07) == 3;
    if (!supported || one.data[4] != opcode) {
      co_return Fail("operation code " + HexCode(opcode) + " is listed; asked for alone: " +
                     (one.good() ? "not supported" : Describe(one)));
    }
  }
  co_return Pass();
}

// The commands that every direct-access block device has. SBC-3, 5.1.
async::Task<Finding> OpcodesMandatory(Bench& bench) {
  static constexpr std::array<uint8_t, 5> kMandatory{0x00, 0x12, 0x25, 0x28, 0xa0};
  for (const uint8_t opcode : kMandatory) {
    const Answer one = co_await OneOpcode(bench, 1, opcode, 0);
    if (IsUnknown(one) || IsRefused(one, 0x24)) {
      co_return NotSupported("REPORT SUPPORTED OPERATION CODES");
    }
    if (!one.good()) co_return Fail(Describe(one));
    const bool supported = one.data.size() >= 5 && (one.data[1] & 0x07) == 3;
    if (!supported) co_return Fail("operation code " + HexCode(opcode) + " is not supported");
    const size_t length = NumberAt(one.data, 2, 2);
    if (length != one.data.size() - 4 || one.data[4] != opcode) {
      co_return Fail("the CDB usage data of " + HexCode(opcode) + " has another length or opcode");
    }
  }
  co_return Pass();
}

async::Task<Finding> OpcodeNotThere(Bench& bench) {
  const Answer one = co_await OneOpcode(bench, 1, 0x1f, 0);
  if (IsUnknown(one) || IsRefused(one, 0x24)) {
    co_return NotSupported("REPORT SUPPORTED OPERATION CODES");
  }
  if (!one.good()) co_return Fail(Describe(one));
  if (one.data.size() >= 4 && (one.data[1] & 0x07) == 1) co_return Pass();
  co_return Fail("SUPPORT of the reserved operation code 1Fh is not 001b");
}

// ---- Buffers ----

async::Task<Answer> BufferOf(Bench& bench, uint8_t mode, uint32_t length) {
  const Cdb cdb = scsi::ReadBuffer({.mode = mode, .allocation_length = length});
  const Answer answer = co_await bench.Ask(cdb, length);
  co_return answer;
}

async::Task<Finding> EchoBuffer(Bench& bench) {
  const Answer size = co_await BufferOf(bench, wire::scsi::kBufferEchoDescriptor, 4);
  const auto* capacity = wire::View<wire::scsi::EchoCapacity>(size.data);
  if (!size.good() || capacity == nullptr) co_return NotSupported("an echo buffer");
  const auto room = static_cast<uint32_t>(NumberAt(size.data, 2, 2) & 0x1fff);
  if (room == 0) co_return NotSupported("an echo buffer");
  const uint32_t length = std::min<uint32_t>(room, 252);
  std::vector<uint8_t> pattern(length);
  for (uint32_t index = 0; index < length; ++index) pattern[index] = static_cast<uint8_t>(~index);
  const Cdb write =
      scsi::WriteBuffer({.mode = wire::scsi::kBufferEcho, .parameter_list_length = length});
  const Answer written = co_await bench.Tell(write, pattern);
  if (!written.good()) co_return Fail("WRITE BUFFER: " + Describe(written));
  const Answer back = co_await BufferOf(bench, wire::scsi::kBufferEcho, length);
  std::string wrong = ExpectData(back, length);
  if (wrong.empty() && back.data != pattern) wrong = "the echo is not what was sent";
  co_return Judge(std::move(wrong));
}

// ---- Mode parameters ----

// What MODE SENSE brings can be sent back: length and PS are the only fields to change.
async::Task<Finding> ModeSelectSame(Bench& bench) {
  const Cdb sense = scsi::ModeSense6(
      {.disable_block_descriptors = true, .page = 0x08, .allocation_length = kPageLengthMax});
  const Answer mode = co_await bench.Ask(sense, kPageLengthMax);
  if (!mode.good() || mode.data.size() < 6) co_return NotSupported("the caching page");
  std::vector<uint8_t> list = mode.data;
  list[0] = 0;      // MODE DATA LENGTH
  list[2] = 0;      // DEVICE-SPECIFIC PARAMETER
  list[4] &= 0x3f;  // PS
  const Cdb select =
      scsi::ModeSelect6({.parameter_list_length = static_cast<uint16_t>(list.size())});
  const Answer answer = co_await bench.Tell(select, list);
  if (IsUnknown(answer)) co_return NotSupported("MODE SELECT(6)");
  if (!answer.good()) co_return Fail(Describe(answer));
  const Answer again = co_await bench.Ask(sense, kPageLengthMax);
  co_return Judge(again.data == mode.data ? "" : "the page is another one afterwards");
}

// ---- Reservations ----

constexpr uint64_t kKey = 0x7573627477696e21;

async::Task<Answer> ReserveOutOf(Bench& bench, ReserveOut action, uint64_t key, uint64_t new_key) {
  std::vector<uint8_t> list(sizeof(wire::scsi::ReserveOutList));
  wire::Emit(list, wire::scsi::ReserveOutList{.key = key, .action_key = new_key});
  const Cdb cdb = scsi::PersistentReserveOut(
      {.action = action,
       .type = static_cast<uint8_t>(wire::scsi::ReserveType::kWriteExclusive),
       .parameter_list_length = static_cast<uint32_t>(list.size())});
  const Answer answer = co_await bench.Tell(cdb, list);
  co_return answer;
}
async::Task<Answer> ReserveInOf(Bench& bench, ReserveIn action) {
  const Cdb cdb =
      scsi::PersistentReserveIn({.action = action, .allocation_length = kPageLengthMax});
  const Answer answer = co_await bench.Ask(cdb, kPageLengthMax);
  co_return answer;
}

std::string ExpectKeys(const Answer& keys, bool ours) {
  if (!keys.good()) return "READ KEYS: " + Describe(keys);
  const size_t length = NumberAt(keys.data, 4, 4);
  if (keys.data.size() != 8 + length || length % 8 != 0) {
    return "READ KEYS does not have the length that it says";
  }
  bool found = false;
  for (size_t place = 8; place < keys.data.size(); place += 8) {
    found = found || NumberAt(keys.data, place, 8) == kKey;
  }
  if (found == ours) return "";
  return ours ? "our key is not among those registered" : "our key is still registered";
}

// From registration to unregistration; whatever happens, nothing of it stays.
async::Task<Finding> PersistentReservation(Bench& bench) {
  const Answer keys = co_await ReserveInOf(bench, ReserveIn::kReadKeys);
  if (IsUnknown(keys)) co_return NotSupported("PERSISTENT RESERVE IN");
  const Answer registered = co_await ReserveOutOf(bench, ReserveOut::kRegister, 0, kKey);
  if (!registered.good()) co_return Fail("REGISTER: " + Describe(registered));
  const Answer with = co_await ReserveInOf(bench, ReserveIn::kReadKeys);
  std::string wrong = ExpectKeys(with, true);
  const Answer reserved = co_await ReserveOutOf(bench, ReserveOut::kReserve, kKey, 0);
  if (wrong.empty() && !reserved.good()) wrong = "RESERVE: " + Describe(reserved);
  const Answer held = co_await ReserveInOf(bench, ReserveIn::kReadReservation);
  if (wrong.empty() && NumberAt(held.data, 8, 8) != kKey) {
    wrong = "READ RESERVATION does not bring our key";
  }
  const Answer released = co_await ReserveOutOf(bench, ReserveOut::kRelease, kKey, 0);
  if (wrong.empty() && !released.good()) wrong = "RELEASE: " + Describe(released);
  const Answer gone = co_await ReserveOutOf(bench, ReserveOut::kRegister, kKey, 0);
  if (wrong.empty() && !gone.good()) wrong = "unregistering: " + Describe(gone);
  const Answer without = co_await ReserveInOf(bench, ReserveIn::kReadKeys);
  if (wrong.empty()) wrong = ExpectKeys(without, false);
  co_return Judge(std::move(wrong));
}

// SPC-4, 5.13.7: registering with a key that is not the one registered.
async::Task<Finding> ReservationConflict(Bench& bench) {
  const Answer keys = co_await ReserveInOf(bench, ReserveIn::kReadKeys);
  if (IsUnknown(keys)) co_return NotSupported("PERSISTENT RESERVE IN");
  const Answer answer = co_await ReserveOutOf(bench, ReserveOut::kReserve, kKey, 0);
  const bool conflict = !answer.error && answer.result.status == Status::kReservationConflict;
  // Bulk-Only has no word for it but "failed", and there is no sense to be had then.
  const bool failed = !answer.error && answer.result.status == Status::kCheckCondition &&
                      answer.result.sense.key == scsi::SenseKey::kNoSense;
  if (conflict || failed) co_return Pass();
  co_return Fail(Describe(answer) + "; expected reservation conflict, as nobody is registered");
}

async::Task<Finding> ReserveAndRelease(Bench& bench) {
  const Answer reserved = co_await bench.Ask(scsi::Reserve6(), 0);
  if (IsUnknown(reserved)) co_return NotSupported("RESERVE(6)");
  const Answer released = co_await bench.Ask(scsi::Release6(), 0);
  if (!reserved.good()) co_return Fail("RESERVE(6): " + Describe(reserved));
  if (!released.good()) co_return Fail("RELEASE(6): " + Describe(released));
  co_return Pass();
}

// ---- The medium ----

async::Task<Finding> StartAgain(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Cdb cdb = scsi::StartStopUnit({.start = true});
  const Answer answer = co_await bench.Ask(cdb, 0);
  if (IsUnknown(answer)) co_return NotSupported("START STOP UNIT");
  co_return Judge(ExpectData(answer, 0));
}

async::Task<Finding> PreventAndAllow(Bench& bench) {
  const Cdb prevent = scsi::PreventAllowMediumRemoval(true);
  const Cdb allow = scsi::PreventAllowMediumRemoval(false);
  const Answer prevented = co_await bench.Ask(prevent, 0);
  const Answer allowed = co_await bench.Ask(allow, 0);
  if (IsUnknown(prevented) || IsRefused(prevented, 0x24)) {
    co_return NotSupported("PREVENT ALLOW MEDIUM REMOVAL");
  }
  if (!prevented.good()) co_return Fail("preventing: " + Describe(prevented));
  if (!allowed.good()) co_return Fail("allowing: " + Describe(allowed));
  co_return Pass();
}

constexpr Case kCases[] = {
    {"log-pages", "SPC-4, 7.3", "page 00h lists pages that are there", false, LogPages},
    {"log-unknown", "SPC-4, 6, LOG SENSE", "a page that is not there is refused with 24h/00h",
     false, LogUnknown},
    {"opcodes-agree", "SPC-4, 6, REPORT SUPPORTED OPERATION CODES",
     "each command of the list is supported when it is asked for alone", false, OpcodesAgree},
    {"opcodes-mandatory", "SBC-3, 5.1", "the mandatory commands are supported", false,
     OpcodesMandatory},
    {"opcode-not-there", "SPC-4, 6, REPORT SUPPORTED OPERATION CODES",
     "a reserved operation code is said to be not supported", false, OpcodeNotThere},
    {"start", "SBC-3, 5, START STOP UNIT", "START of what runs is good", false, StartAgain},
    {"prevent-allow", "SPC-4, 6, PREVENT ALLOW MEDIUM REMOVAL", "both are good", false,
     PreventAndAllow},
    {"echo-buffer", "SPC-4, 6, READ BUFFER", "the echo buffer brings what was written", true,
     EchoBuffer},
    {"mode-select-same", "SPC-4, 6, MODE SELECT (6)", "the page that was read can be sent back",
     true, ModeSelectSame},
    {"reserve-release", "SPC-2, 7.21", "RESERVE(6) and RELEASE(6) are good", true,
     ReserveAndRelease},
    {"reservation", "SPC-4, 5.13", "a key is registered, reserves, releases and goes", true,
     PersistentReservation},
    {"reservation-conflict", "SPC-4, 5.13", "who is not registered cannot reserve", true,
     ReservationConflict},
};

}  // namespace

std::span<const Case> ScsiManagementCases() {
  return kCases;
}

}  // namespace usbtwin::conform
