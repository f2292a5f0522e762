// Commands over USB Attached SCSI: statuses, ready IUs, data, tags, many at once. UAS, 6.
#include "base/text.h"
#include "conform/uas_cases.h"
#include "conform/uas_exchange.h"
#include "wire/scsi_data.h"

namespace usbtwin::conform {

namespace {

using wire::uas::ResponseCode;

constexpr uint32_t kInquiryLength = 36;

Finding NoMedium() {
  return Skip("there is no medium");
}

UasCommand Ready(uint16_t tag) {
  return {.tag = tag, .cdb = scsi::TestUnitReady()};
}
UasCommand Inquiry(uint16_t tag) {
  return {.tag = tag, .cdb = scsi::Inquiry(false, 0, kInquiryLength), .in_length = kInquiryLength};
}
UasCommand Read(Bench& bench, uint16_t tag, uint64_t lba) {
  return {.tag = tag, .cdb = scsi::Read10(lba, 1), .in_length = bench.block_size()};
}
UasCommand Unknown(uint16_t tag) {
  UasCommand command{.tag = tag};
  command.cdb.length = 6;
  command.cdb.bytes[0] = 0x1f;  // reserved
  return command;
}

async::Task<Finding> CheckGood(Bench& bench, UasCommand command) {
  const UasCommand done = co_await RunOne(bench, std::move(command));
  co_return Judge(ExpectGood(done));
}

async::Task<Finding> CheckAll(Bench& bench, std::vector<UasCommand>& commands) {
  co_await RunAll(bench, commands);
  for (const UasCommand& command : commands) {
    const std::string wrong = ExpectGood(command);
    if (!wrong.empty()) co_return Fail(wrong);
  }
  co_return Pass();
}

// ---- One command ----

async::Task<Finding> NoData(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const Finding found = co_await CheckGood(bench, Ready(1));
  co_return found;
}
async::Task<Finding> DataIn(Bench& bench) {
  const Finding found = co_await CheckGood(bench, Inquiry(1));
  co_return found;
}
async::Task<Finding> ReadReady(Bench& bench) {
  if (HasStreams(bench)) co_return Skip("streams need no READ READY");
  const UasCommand done = co_await RunOne(bench, Inquiry(1));
  if (!done.broken.empty()) co_return Fail(done.broken);
  co_return done.ready ? Pass() : Fail("the status came, and no READ READY before it");
}
async::Task<Finding> DataCut(Bench& bench) {
  UasCommand command{.cdb = scsi::Inquiry(false, 0, 5), .in_length = 5};
  const Finding found = co_await CheckGood(bench, std::move(command));
  co_return found;
}
async::Task<Finding> SenseAtOnce(Bench& bench) {
  const UasCommand done = co_await RunOne(bench, Unknown(1));
  if (!done.broken.empty()) co_return Fail(done.broken);
  if (!done.status || done.status->status != 0x02)
    co_return Fail("the status is not CHECK CONDITION");
  if (!done.sense) co_return Fail("the SENSE IU has no sense data");
  if (done.sense->key != scsi::SenseKey::kIllegalRequest || done.sense->asc != 0x20) {
    co_return Fail(std::string("the sense key is ") + scsi::Name(done.sense->key) +
                   ", expected Illegal Request, 20h/00h");
  }
  co_return Pass();
}
async::Task<Finding> SenseLength(Bench& bench) {
  const std::vector<uint8_t> iu = CommandIuOf(Unknown(1), bench.lun());
  const std::string unsent = co_await SendIu(bench, iu);
  if (!unsent.empty()) co_return Fail(unsent);
  const UasStatus status = co_await ReadStatus(bench, 1);
  if (!status.broken.empty()) co_return Fail(status.broken);
  const auto* sense = wire::View<wire::uas::SenseIu>(status.bytes);
  if (sense == nullptr) co_return Fail("the IU is shorter than a SENSE IU");
  if (status.bytes.size() == sizeof(*sense) + sense->sense_length) co_return Pass();
  co_return Fail("LENGTH is " + std::to_string(sense->sense_length) + ", and " +
                 Count(status.bytes.size() - sizeof(*sense), "byte") + " follow");
}
async::Task<Finding> GoodWithoutSense(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  const UasCommand done = co_await RunOne(bench, Ready(1));
  if (!done.status) co_return Fail(done.broken);
  const uint16_t length = done.status->sense_length;
  co_return length == 0 ? Pass() : Fail(Count(length, "byte") + " of sense with GOOD");
}

// ---- Tags and attributes ----

async::Task<Finding> Tags(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  static constexpr std::array<uint16_t, 4> kTags{1, 2, 0x0100, wire::uas::kTagLast};
  for (const uint16_t tag : kTags) {
    if (HasStreams(bench) && tag > 2) continue;  // more streams may not have been granted
    const UasCommand done = co_await RunOne(bench, Ready(tag));
    const std::string wrong = ExpectGood(done);
    if (!wrong.empty()) co_return Fail(wrong);
  }
  co_return Pass();
}
async::Task<Finding> TagAgain(Bench& bench) {
  for (int count = 0; count < 64; ++count) {
    const UasCommand done = co_await RunOne(bench, Inquiry(1));
    const std::string wrong = ExpectGood(done);
    if (!wrong.empty()) co_return Fail(Count(count, "command") + " before: " + wrong);
  }
  co_return Pass();
}
async::Task<Finding> CheckAttribute(Bench& bench, uint8_t attribute) {
  if (!bench.has_medium()) co_return NoMedium();
  UasCommand command = Ready(1);
  command.attribute = attribute;
  const Finding found = co_await CheckGood(bench, std::move(command));
  co_return found;
}
async::Task<Finding> HeadOfQueue(Bench& bench) {
  return CheckAttribute(bench, 1);
}
async::Task<Finding> Ordered(Bench& bench) {
  return CheckAttribute(bench, 2);
}
async::Task<Finding> Priority(Bench& bench) {
  return CheckAttribute(bench, 15 << 3);
}
async::Task<Finding> AttributeReserved(Bench& bench) {
  UasCommand command = Ready(1);
  command.attribute = 7;
  const UasCommand done = co_await RunOne(bench, std::move(command));
  if (!done.broken.empty()) co_return Fail(done.broken);
  const bool refused = done.response == ResponseCode::kInvalidInformationUnit ||
                       (done.status && done.status->status == 0x02);
  co_return refused ? Pass() : Fail("it was carried out");
}

// ---- Many at once ----

async::Task<Finding> TwoReady(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  std::vector<UasCommand> commands{Ready(1), Ready(2)};
  const Finding found = co_await CheckAll(bench, commands);
  co_return found;
}
async::Task<Finding> TwoReads(Bench& bench) {
  if (bench.blocks_count() < 2) co_return NoMedium();
  const UasCommand first = co_await RunOne(bench, Read(bench, 1, 0));
  const UasCommand second = co_await RunOne(bench, Read(bench, 1, 1));
  std::vector<UasCommand> commands{Read(bench, 1, 0), Read(bench, 2, 1)};
  const Finding found = co_await CheckAll(bench, commands);
  if (found.verdict != Verdict::kPass) co_return found;
  if (commands[0].data == first.data && commands[1].data == second.data) co_return Pass();
  co_return Fail("one of them brought other bytes than alone");
}
async::Task<Finding> GoodBesideBad(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  std::vector<UasCommand> commands{Read(bench, 1, 0), Unknown(2)};
  co_await RunAll(bench, commands);
  const std::string wrong = ExpectGood(commands[0]);
  if (!wrong.empty()) co_return Fail(wrong);
  const bool refused = commands[1].status && commands[1].status->status == 0x02;
  co_return refused ? Pass() : Fail("the bad one: " + commands[1].broken);
}
async::Task<Finding> InAndNone(Bench& bench) {
  if (!bench.has_medium()) co_return NoMedium();
  std::vector<UasCommand> commands{Inquiry(1), Ready(2)};
  const Finding found = co_await CheckAll(bench, commands);
  co_return found;
}

// ---- Units ----

async::Task<Finding> LunAbsent(Bench& bench) {
  std::vector<uint8_t> iu = CommandIuOf(Ready(1), 0xfe);
  const std::string unsent = co_await SendIu(bench, iu);
  if (!unsent.empty()) co_return Fail(unsent);
  const UasStatus status = co_await ReadStatus(bench, 1);
  if (!status.broken.empty()) co_return Fail(status.broken);
  if (const auto* response = wire::View<wire::uas::ResponseIu>(status.bytes);
      response->header.id == static_cast<uint8_t>(wire::uas::IuId::kResponse)) {
    const bool incorrect = response->code == static_cast<uint8_t>(ResponseCode::kIncorrectLun);
    co_return incorrect ? Pass() : Fail("RESPONSE CODE " + HexId(response->code).substr(2) + "h");
  }
  const auto* sense = wire::View<wire::uas::SenseIu>(status.bytes);
  if (sense != nullptr && sense->status == 0x02) co_return Pass();
  co_return Fail("the command was not refused");
}

// ---- Writes ----

async::Task<Finding> WriteBack(Bench& bench, uint16_t count) {
  if (bench.blocks_count() < count) co_return NoMedium();
  std::vector<std::vector<uint8_t>> held;
  for (uint16_t index = 0; index < count; ++index) {
    const UasCommand done = co_await RunOne(bench, Read(bench, 1, index));
    if (!ExpectGood(done).empty()) co_return Skip("the blocks cannot be read");
    held.push_back(done.data);
  }
  std::vector<UasCommand> writes;
  for (uint16_t index = 0; index < count; ++index) {
    writes.push_back({.tag = static_cast<uint16_t>(index + 1),
                      .cdb = scsi::Write10(index, 1),
                      .out = held[index]});
  }
  const Finding found = co_await CheckAll(bench, writes);
  if (found.verdict != Verdict::kPass) co_return found;
  for (uint16_t index = 0; index < count; ++index) {
    const UasCommand done = co_await RunOne(bench, Read(bench, 1, index));
    if (done.data != held[index]) {
      co_return Fail("block " + std::to_string(index) + " is not what was written");
    }
  }
  co_return Pass();
}
// A protected medium refuses before any data, which a host with streams would wait for.
async::Task<bool> IsProtected(Bench& bench) {
  scsi::cdb::ModeSense what{.disable_block_descriptors = true, .page = 0x3f};
  what.allocation_length = 4;
  const Bench::Answer mode = co_await bench.Ask(scsi::ModeSense6(what), 4);
  co_return mode.data.size() == 4 && (mode.data[2] & wire::scsi::kModeWriteProtected) != 0;
}
async::Task<Finding> OneWrite(Bench& bench) {
  const bool is_protected = co_await IsProtected(bench);
  if (is_protected) co_return Skip("the medium is write-protected");
  const Finding found = co_await WriteBack(bench, 1);
  co_return found;
}
async::Task<Finding> TwoWrites(Bench& bench) {
  const bool is_protected = co_await IsProtected(bench);
  if (is_protected) co_return Skip("the medium is write-protected");
  const Finding found = co_await WriteBack(bench, 2);
  co_return found;
}

constexpr Case kCases[] = {
    {"no-data", "UAS, 6.3", "a command without data ends with its SENSE IU", false, NoData},
    {"data-in", "UAS, 6.3", "INQUIRY brings its data, then its SENSE IU", false, DataIn},
    {"read-ready", "UAS, 6.2.3", "without streams READ READY comes before the data", false,
     ReadReady},
    {"data-cut", "SPC-4, 4.2.5.6", "an allocation length of 5 cuts, and is no error", false,
     DataCut},
    {"autosense", "UAS, 6.2.5", "CHECK CONDITION brings its sense data", false, SenseAtOnce},
    {"sense-length", "UAS, 6.2.5", "LENGTH counts the sense data that follow", false, SenseLength},
    {"good-no-sense", "UAS, 6.2.5", "GOOD has no sense data", false, GoodWithoutSense},
    {"tags", "UAS, 4.3", "tags up to FFFDh, or as far as streams go", false, Tags},
    {"tag-again", "UAS, 4.3", "a tag is free once its status has come", false, TagAgain},
    {"head-of-queue", "SAM-5, 8.6.2", "HEAD OF QUEUE is carried out", false, HeadOfQueue},
    {"ordered", "SAM-5, 8.6.3", "ORDERED is carried out", false, Ordered},
    {"priority", "UAS, 6.2.2", "a COMMAND PRIORITY does no harm", false, Priority},
    {"attribute-reserved", "UAS, 6.2.2", "a reserved TASK ATTRIBUTE is refused", false,
     AttributeReserved},
    {"two-commands", "UAS, 4.3", "two commands at once both end", false, TwoReady},
    {"two-reads", "UAS, 6.3", "two READs at once each bring their own data", false, TwoReads},
    {"data-and-none", "UAS, 6.3", "a command without data beside one with data", false, InAndNone},
    {"good-and-bad", "UAS, 6.3", "a refused command leaves its neighbour alone", false,
     GoodBesideBad},
    {"lun-absent", "SAM-5, 5.11", "a command to a unit that is not there is refused", false,
     LunAbsent},
    {"write", "UAS, 6.3", "WRITE takes its data, and READ brings them", true, OneWrite},
    {"two-writes", "UAS, 6.3", "two WRITEs at once each take their own data", true, TwoWrites},
};

}  // namespace

std::span<const Case> UasCommandCases() {
  return kCases;
}

}  // namespace usbtwin::conform
