// The thirteen cases: what the host announces (H) against what the device intends (D), with no data
// (n), data in (i) or data out (o). BOT 1.0, 6.7; in USB-IF's compliance tests TD1.5 to TD1.17.
#include "conform/bot_cases.h"
#include "conform/bot_conversation.h"

namespace usbtwin::conform {

namespace {

constexpr uint32_t kInquiryLength = 36;

constexpr Expected Done(uint32_t residue) {
  return {.passed = true, .failed = true, .residue = residue};
}
constexpr Expected kPhaseError{.phase_error = true};

async::Task<Finding> Check(Bench& bench, const Conversation& conversation,
                           const Expected& expected) {
  const Heard heard = co_await Converse(bench, conversation);
  co_return Judge(Compare(conversation, heard, expected));
}

// The same for a WRITE, which a medium may be protected from. Where all the data went, Bulk-Out
// must take the next command block wrapper: a halt may refuse data, not what comes after it.
async::Task<Finding> CheckWrite(Bench& bench, const Conversation& conversation,
                                const Expected& expected) {
  const Heard heard = co_await Converse(bench, conversation);
  if (heard.broken.empty() && heard.status.status == uint8_t(wire::bot::Status::kFailed)) {
    const Conversation ask{.cdb = scsi::RequestSense(false, 18), .length = 18, .in = true};
    const Heard told = co_await Converse(bench, ask);
    const std::optional<scsi::Sense> sense = scsi::ParseSense(told.data);
    if (sense && sense->key == scsi::SenseKey::kDataProtect) {
      co_return Skip("the medium is write-protected");
    }
  }
  std::string wrong = Compare(conversation, heard, expected);
  if (wrong.empty() && heard.data_length == conversation.out.size() && !expected.phase_error) {
    const Conversation ready{.cdb = scsi::TestUnitReady()};
    const Heard next = co_await Converse(bench, ready);
    if (!next.broken.empty()) {
      wrong = "all of the data was taken, but the next command is not: " + next.broken;
    }
  }
  co_return Judge(wrong);
}

// What block 0 and the next ones hold, to be written back to them; nothing where they cannot be
// read.
async::Task<std::vector<uint8_t>> Blocks(Bench& bench, uint32_t blocks_count) {
  const Conversation asked{.cdb = scsi::Read10(0, blocks_count),
                           .length = blocks_count * bench.block_size(),
                           .in = true};
  Heard heard = co_await Converse(bench, asked);
  if (!heard.broken.empty() || heard.data.size() != asked.length) heard.data.clear();
  co_return std::move(heard.data);
}

Finding NoMedium() {
  return Skip("there is no medium");
}
Finding Unreadable() {
  return Skip("blocks 0 and 1 cannot be read, so they are not written either");
}

// ---- The host expects no data ----

async::Task<Finding> Case1(Bench& bench) {
  const Conversation asked{.cdb = scsi::TestUnitReady()};
  const Finding found = co_await Check(bench, asked, Done(0));
  co_return found;
}
async::Task<Finding> Case2(Bench& bench) {
  const Conversation asked{.cdb = scsi::Inquiry(false, 0, kInquiryLength)};
  const Finding found = co_await Check(bench, asked, kPhaseError);
  co_return found;
}
async::Task<Finding> Case3(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Conversation asked{.cdb = scsi::Write10(0, 1)};
  const Finding found = co_await CheckWrite(bench, asked, kPhaseError);
  co_return found;
}

// ---- The host expects to receive data ----

async::Task<Finding> Case4(Bench& bench) {
  const Conversation asked{.cdb = scsi::TestUnitReady(), .length = 512, .in = true};
  const Finding found = co_await Check(bench, asked, Done(512));
  co_return found;
}
async::Task<Finding> Case5(Bench& bench) {
  const Conversation asked{
      .cdb = scsi::Inquiry(false, 0, kInquiryLength), .length = 512, .in = true};
  const Finding found = co_await Check(bench, asked, Done(512 - kInquiryLength));
  co_return found;
}
async::Task<Finding> Case6(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const uint32_t length = bench.block_size();
  const Conversation asked{.cdb = scsi::Read10(0, 1), .length = length, .in = true};
  const Heard heard = co_await Converse(bench, asked);
  const std::string wrong = Compare(asked, heard, Done(0));
  if (wrong.empty() && heard.data_length != length) {
    co_return Fail(std::to_string(heard.data_length) + " bytes came of " + std::to_string(length) +
                   ", and the residue is 0");
  }
  co_return Judge(wrong);
}
async::Task<Finding> Case7(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Conversation asked{.cdb = scsi::Read10(0, 2), .length = bench.block_size(), .in = true};
  const Finding found = co_await Check(bench, asked, kPhaseError);
  co_return found;
}
async::Task<Finding> Case8(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Conversation asked{.cdb = scsi::Write10(0, 1), .length = bench.block_size(), .in = true};
  const Finding found = co_await CheckWrite(bench, asked, kPhaseError);
  co_return found;
}

// ---- The host expects to send data ----

async::Task<Finding> Case9(Bench& bench) {
  const std::vector<uint8_t> data(512);
  const Conversation asked{.cdb = scsi::TestUnitReady(), .length = 512, .out = data};
  const Finding found = co_await Check(bench, asked, Done(512));
  co_return found;
}
async::Task<Finding> Case10(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const std::vector<uint8_t> data(bench.block_size());
  const Conversation asked{.cdb = scsi::Read10(0, 1), .length = bench.block_size(), .out = data};
  const Finding found = co_await Check(bench, asked, kPhaseError);
  co_return found;
}
async::Task<Finding> Case11(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const std::vector<uint8_t> data = co_await Blocks(bench, 2);
  if (data.empty()) co_return Unreadable();
  const Conversation asked{
      .cdb = scsi::Write10(0, 1), .length = 2 * bench.block_size(), .out = data};
  const Finding found = co_await CheckWrite(bench, asked, Done(bench.block_size()));
  co_return found;
}
async::Task<Finding> Case12(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const std::vector<uint8_t> data = co_await Blocks(bench, 1);
  if (data.empty()) co_return Unreadable();
  const Conversation asked{.cdb = scsi::Write10(0, 1), .length = bench.block_size(), .out = data};
  const Finding found = co_await CheckWrite(bench, asked, Done(0));
  co_return found;
}
async::Task<Finding> Case13(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const std::vector<uint8_t> data = co_await Blocks(bench, 1);
  if (data.empty()) co_return Unreadable();
  const Conversation asked{.cdb = scsi::Write10(0, 2), .length = bench.block_size(), .out = data};
  const Finding found = co_await CheckWrite(bench, asked, kPhaseError);
  co_return found;
}

constexpr Case kCases[] = {
    {"case-01", "BOT 1.0, 6.7.1 (TD1.5)", "Hn = Dn: status 00h or 01h, residue 0", false, Case1},
    {"case-02", "BOT 1.0, 6.7.1 (TD1.6)", "Hn < Di: status 02h", false, Case2},
    {"case-03", "BOT 1.0, 6.7.1 (TD1.7)", "Hn < Do: status 02h", true, Case3},
    {"case-04", "BOT 1.0, 6.7.2 (TD1.8)", "Hi > Dn: status 00h or 01h, residue H", false, Case4},
    {"case-05", "BOT 1.0, 6.7.2 (TD1.9)", "Hi > Di: residue H - D", false, Case5},
    {"case-06", "BOT 1.0, 6.7.2 (TD1.10)", "Hi = Di: residue 0, all data", false, Case6},
    {"case-07", "BOT 1.0, 6.7.2 (TD1.11)", "Hi < Di: status 02h", false, Case7},
    {"case-08", "BOT 1.0, 6.7.2 (TD1.12)", "Hi <> Do: status 02h", true, Case8},
    {"case-09", "BOT 1.0, 6.7.3 (TD1.13)", "Ho > Dn: status 00h or 01h, residue H", false, Case9},
    {"case-10", "BOT 1.0, 6.7.3 (TD1.14)", "Ho <> Di: status 02h", false, Case10},
    {"case-11", "BOT 1.0, 6.7.3 (TD1.15)", "Ho > Do: residue H - D", true, Case11},
    {"case-12", "BOT 1.0, 6.7.3 (TD1.16)", "Ho = Do: status 00h or 01h, residue 0", true, Case12},
    {"case-13", "BOT 1.0, 6.7.3 (TD1.17)", "Ho < Do: status 02h", true, Case13},
};

}  // namespace

std::span<const Case> ThirteenCases() {
  return kCases;
}

}  // namespace usbtwin::conform
