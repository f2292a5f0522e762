// Wrappers, good and bad, and what resets do. BOT 1.0, 5 and 6; TD1.4 and TD1.19 of USB-IF's
// compliance tests. The suite puts all the parts together.
#include <vector>

#include "base/text.h"
#include "conform/bot_cases.h"
#include "conform/bot_conversation.h"

namespace usbtwin::conform {

namespace {

using WrapperBytes = std::vector<uint8_t>;

constexpr uint32_t kInquiryLength = 36;
constexpr Expected kDone{.passed = true, .failed = true};

WrapperBytes GoodWrapper(Bench& bench) {
  const auto wrapper = WrapperOf({.cdb = scsi::TestUnitReady()}, bench.lun());
  const Bytes bytes = wire::AsBytes(wrapper);
  return {bytes.begin(), bytes.end()};
}

// After a wrapper that is none, Bulk-In is halted and stays so until a whole reset recovery.
// BOT 1.0, 5.3.4 and 6.6.1.
async::Task<Finding> CheckInvalid(Bench& bench, Bytes wrapper) {
  const Bench::Moved sent = co_await bench.Out(wrapper);
  if (!sent.ok() && !sent.stalled()) {
    co_return Fail(std::string("the wrapper ended \"") + usb::Name(sent.outcome) + "\"");
  }
  const Bench::Moved first = co_await bench.In(kInquiryLength);
  if (!first.stalled()) {
    co_return Fail(std::string("Bulk-In ended \"") + usb::Name(first.outcome) + "\" after " +
                   Count(first.length, "byte") + ", expected a stall");
  }
  const bool cleared = co_await bench.ClearHalt(bench.storage().bulk_in.address);
  const Bench::Moved second = co_await bench.In(kInquiryLength);
  if (cleared && !second.stalled()) {
    co_return Fail("clearing the halt of Bulk-In was enough: no reset recovery was needed");
  }
  const bool recovered = co_await bench.RecoverBulkOnly();
  if (!recovered) co_return Fail("the reset recovery failed");
  const Conversation ready{.cdb = scsi::TestUnitReady()};
  const Heard heard = co_await Converse(bench, ready);
  const std::string wrong = Compare(ready, heard, kDone);
  if (!wrong.empty()) co_return Fail("after the reset recovery: " + wrong);
  co_return Pass();
}

async::Task<Finding> InvalidSignature(Bench& bench) {
  WrapperBytes wrapper = GoodWrapper(bench);
  wrapper[0] ^= 1;
  const Finding found = co_await CheckInvalid(bench, wrapper);
  co_return found;
}
async::Task<Finding> ShortWrapper(Bench& bench) {
  WrapperBytes wrapper = GoodWrapper(bench);
  wrapper.resize(30);
  const Finding found = co_await CheckInvalid(bench, wrapper);
  co_return found;
}
async::Task<Finding> LongWrapper(Bench& bench) {
  WrapperBytes wrapper = GoodWrapper(bench);
  wrapper.resize(32);
  const Finding found = co_await CheckInvalid(bench, wrapper);
  co_return found;
}

async::Task<Finding> Tags(Bench& bench) {
  static constexpr std::array<uint32_t, 4> kTags{0, 1, 0x80000000, 0xffffffff};
  for (const uint32_t tag : kTags) {
    const Conversation ready{.cdb = scsi::TestUnitReady(), .tag = tag};
    const Heard heard = co_await Converse(bench, ready);
    const std::string wrong = Compare(ready, heard, {.passed = true, .failed = true, .tag = true});
    if (!wrong.empty()) co_return Fail("with dCBWTag " + std::to_string(tag) + ": " + wrong);
  }
  co_return Pass();
}

async::Task<Finding> StatusSignature(Bench& bench) {
  const Conversation ready{.cdb = scsi::TestUnitReady()};
  const Heard heard = co_await Converse(bench, ready);
  co_return Judge(Compare(ready, heard, {.passed = true, .failed = true, .signature = true}));
}

async::Task<Finding> Filler(Bench& bench) {
  static constexpr std::array<uint8_t, 3> kFillers{0xff, 0x55, 0xaa};
  for (const uint8_t filler : kFillers) {
    const Conversation inquiry{.cdb = scsi::Inquiry(false, 0, kInquiryLength),
                               .length = kInquiryLength,
                               .in = true,
                               .filler = filler};
    const Heard heard = co_await Converse(bench, inquiry);
    const std::string wrong = Compare(inquiry, heard, {.passed = true});
    if (!wrong.empty()) {
      co_return Fail("with " + HexId(filler).substr(2) + "h behind the command block: " + wrong);
    }
  }
  co_return Pass();
}

// The device must keep quiet about a command whose data phase was broken off. BOT 1.0, 3.1.
async::Task<Finding> ResetInData(Bench& bench) {
  const Conversation inquiry{
      .cdb = scsi::Inquiry(false, 0, kInquiryLength), .length = kInquiryLength, .in = true};
  const auto wrapper = WrapperOf(inquiry, bench.lun());
  const Bench::Moved sent = co_await bench.Out(wire::AsBytes(wrapper));
  if (!sent.ok()) co_return Fail(std::string("the wrapper ended ") + usb::Name(sent.outcome));
  const bool recovered = co_await bench.RecoverBulkOnly();
  if (!recovered) co_return Fail("the reset recovery failed");
  const Conversation ready{.cdb = scsi::TestUnitReady(), .tag = 2};
  const Heard heard = co_await Converse(bench, ready);
  co_return Judge(Compare(ready, heard, kDone));
}

async::Task<Finding> ResetInStatus(Bench& bench) {
  const auto wrapper = WrapperOf({.cdb = scsi::TestUnitReady()}, bench.lun());
  const Bench::Moved sent = co_await bench.Out(wire::AsBytes(wrapper));
  if (!sent.ok()) co_return Fail(std::string("the wrapper ended ") + usb::Name(sent.outcome));
  const bool recovered = co_await bench.RecoverBulkOnly();
  if (!recovered) co_return Fail("the reset recovery failed");
  const Conversation ready{.cdb = scsi::TestUnitReady(), .tag = 3};
  const Heard heard = co_await Converse(bench, ready);
  co_return Judge(Compare(ready, heard, kDone));
}

// The reset preserves the halts; the host clears them. BOT 1.0, 3.1.
async::Task<Finding> ResetKeepsHalt(Bench& bench) {
  WrapperBytes wrapper = GoodWrapper(bench);
  wrapper[0] ^= 1;
  co_await bench.Out(wrapper);
  const usb::EndpointAddress in = bench.storage().bulk_in.address;
  const std::optional<bool> before = co_await bench.IsHalted(in);
  if (!before) co_return Skip("the device does not answer GET_STATUS of an endpoint");
  if (!*before) co_return Skip("an invalid wrapper does not halt Bulk-In, see signature");
  const Result<uint32_t> reset = co_await bench.MassStorageReset();
  if (!reset) co_return Fail(reset.error().Describe());
  const std::optional<bool> after = co_await bench.IsHalted(in);
  if (after == std::optional<bool>(true)) co_return Pass();
  co_return Fail("the reset cleared the halt of Bulk-In");
}

async::Task<Finding> ClearUnhalted(Bench& bench) {
  const bool in = co_await bench.ClearHalt(bench.storage().bulk_in.address);
  const bool out = co_await bench.ClearHalt(bench.storage().bulk_out.address);
  if (!in || !out) co_return Fail("CLEAR_FEATURE(ENDPOINT_HALT) was refused");
  const Conversation ready{.cdb = scsi::TestUnitReady()};
  const Heard heard = co_await Converse(bench, ready);
  co_return Judge(Compare(ready, heard, kDone));
}

async::Task<Finding> FailureThenSense(Bench& bench) {
  scsi::Cdb unknown;
  unknown.length = 6;
  unknown.bytes[0] = 0xff;  // vendor specific
  const Conversation bad{.cdb = unknown};
  const Heard refused = co_await Converse(bench, bad);
  const std::string wrong = Compare(bad, refused, {.failed = true});
  if (!wrong.empty()) co_return Fail("operation code FFh: " + wrong);
  constexpr uint32_t kSenseLength = 18;
  const Conversation sense{
      .cdb = scsi::RequestSense(false, kSenseLength), .length = kSenseLength, .in = true};
  const Heard told = co_await Converse(bench, sense);
  const std::string untold = Compare(sense, told, {.passed = true});
  if (!untold.empty()) co_return Fail("REQUEST SENSE: " + untold);
  const std::optional<scsi::Sense> parsed = scsi::ParseSense(told.data);
  if (!parsed) co_return Fail("REQUEST SENSE brought no sense data");
  if (parsed->key == scsi::SenseKey::kIllegalRequest) co_return Pass();
  co_return Fail(std::string("the sense key is ") + scsi::Name(parsed->key) +
                 " and not Illegal Request");
}

async::Task<Finding> ManyCommands(Bench& bench) {
  for (uint32_t tag = 1; tag <= 64; ++tag) {
    const Conversation inquiry{.cdb = scsi::Inquiry(false, 0, kInquiryLength),
                               .length = kInquiryLength,
                               .in = true,
                               .tag = tag};
    const Heard heard = co_await Converse(bench, inquiry);
    const std::string wrong = Compare(inquiry, heard, {.passed = true});
    if (!wrong.empty()) co_return Fail("command " + std::to_string(tag) + ": " + wrong);
  }
  co_return Pass();
}

constexpr Case kCases[] = {
    {"tags", "BOT 1.0, 5.1 and 5.2", "each dCSWTag is its dCBWTag", false, Tags},
    {"status-signature", "BOT 1.0, 5.2", "dCSWSignature is 53425355h", false, StatusSignature},
    {"filler", "BOT 1.0, 5.1 (TD1.19)", "bytes behind the command block are ignored", false,
     Filler},
    {"signature", "BOT 1.0, 6.6.1 (TD1.4)",
     "a wrong dCBWSignature halts Bulk-In until a reset recovery", false, InvalidSignature},
    {"short-wrapper", "BOT 1.0, 6.6.1 (TD1.4)",
     "a wrapper of 30 bytes halts Bulk-In until a reset recovery", false, ShortWrapper},
    {"long-wrapper", "BOT 1.0, 6.6.1 (TD1.4)",
     "a wrapper of 32 bytes halts Bulk-In until a reset recovery", false, LongWrapper},
    {"reset-in-data", "BOT 1.0, 3.1", "a reset ends a command in its data phase", false,
     ResetInData},
    {"reset-in-status", "BOT 1.0, 3.1", "a reset ends a command in its status phase", false,
     ResetInStatus},
    {"reset-keeps-halt", "BOT 1.0, 3.1", "a reset leaves halts to the host", false, ResetKeepsHalt},
    {"clear-unhalted", "USB 2.0, 9.4.5", "clearing a halt that is none does no harm", false,
     ClearUnhalted},
    {"failure-then-sense", "BOT 1.0, 6.7; SPC-4, 6.39",
     "an unknown operation code fails, and REQUEST SENSE tells why", false, FailureThenSense},
    {"many-commands", "BOT 1.0, 5", "64 commands, one right after the other", false, ManyCommands},
};

std::span<const Case> AllCases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> cases;
    for (const auto part : {DescriptorCases(), WrapperCases(), ThirteenCases()}) {
      cases.insert(cases.end(), part.begin(), part.end());
    }
    return cases;
  }();
  return all;
}

}  // namespace

std::span<const Case> WrapperCases() {
  return kCases;
}

Suite BotSuite() {
  return {"bot", "descriptors, class requests, wrappers and the thirteen cases", PrepareBulkOnly,
          AllCases()};
}

}  // namespace usbtwin::conform
