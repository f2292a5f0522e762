// Information units that are none, overlapped tags and task management. UAS, 6.2; SAM-5, 7. The
// suite puts all the parts together.
#include "base/text.h"
#include "conform/uas_cases.h"
#include "conform/uas_exchange.h"

namespace usbtwin::conform {

namespace {

using wire::uas::ResponseCode;
using wire::uas::TaskFunction;

constexpr uint32_t kInquiryLength = 36;
constexpr uint16_t kTag = 1;  // of the command that is left waiting
constexpr uint16_t kTagOther = 2;

UasCommand Inquiry(uint16_t tag) {
  return {.tag = tag, .cdb = scsi::Inquiry(false, 0, kInquiryLength), .in_length = kInquiryLength};
}

UasFunction FunctionOf(TaskFunction function, uint8_t lun, uint16_t task_tag = 0) {
  return {.function = static_cast<uint8_t>(function),
          .task_tag = task_tag,
          .tag = kTagOther,
          .lun = wire::uas::EncodeLun(lun)};
}

std::string Expect(const UasResponse& response, ResponseCode code) {
  if (response.broken.empty() && response.code == code) return "";
  return Describe(response) + ", expected " + HexId(static_cast<uint8_t>(code)).substr(2) + "h";
}

async::Task<std::string> StillWorks(Bench& bench) {
  const UasCommand done = co_await RunOne(bench, Inquiry(kTag));
  const std::string wrong = ExpectGood(done);
  co_return wrong.empty() ? std::string() : "the next command: " + wrong;
}

// ---- IUs that are none ----

async::Task<Finding> CheckInvalid(Bench& bench, Bytes iu) {
  const std::string unsent = co_await SendIu(bench, iu);
  if (!unsent.empty()) co_return Fail(unsent);
  const UasResponse response = co_await ReadResponse(bench, kTag);
  const std::string wrong = Expect(response, ResponseCode::kInvalidInformationUnit);
  if (!wrong.empty()) co_return Fail(wrong);
  const std::string after = co_await StillWorks(bench);
  co_return Judge(after);
}

async::Task<Finding> IdUnknown(Bench& bench) {
  std::vector<uint8_t> iu = CommandIuOf(Inquiry(kTag), bench.lun());
  iu[0] = 0xff;
  const Finding found = co_await CheckInvalid(bench, iu);
  co_return found;
}
async::Task<Finding> IdOfDevices(Bench& bench) {
  std::vector<uint8_t> iu = CommandIuOf(Inquiry(kTag), bench.lun());
  iu[0] = static_cast<uint8_t>(wire::uas::IuId::kSense);
  const Finding found = co_await CheckInvalid(bench, iu);
  co_return found;
}
async::Task<Finding> CommandShort(Bench& bench) {
  std::vector<uint8_t> iu = CommandIuOf(Inquiry(kTag), bench.lun());
  iu.pop_back();
  const Finding found = co_await CheckInvalid(bench, iu);
  co_return found;
}
async::Task<Finding> CommandLong(Bench& bench) {
  std::vector<uint8_t> iu = CommandIuOf(Inquiry(kTag), bench.lun());
  iu.resize(iu.size() + 4);
  const Finding found = co_await CheckInvalid(bench, iu);
  co_return found;
}
async::Task<Finding> CommandAdditional(Bench& bench) {
  std::vector<uint8_t> iu = CommandIuOf(Inquiry(kTag), bench.lun());
  iu[6] = 4;  // ADDITIONAL CDB LENGTH: four bytes, which do not follow
  const Finding found = co_await CheckInvalid(bench, iu);
  co_return found;
}
async::Task<Finding> ManagementShort(Bench& bench) {
  wire::uas::TaskManagementIu iu{};
  iu.header.id = static_cast<uint8_t>(wire::uas::IuId::kTaskManagement);
  iu.header.tag = kTag;
  iu.function = static_cast<uint8_t>(TaskFunction::kQueryTaskSet);
  const Bytes bytes = wire::AsBytes(iu);
  const Finding found = co_await CheckInvalid(bench, bytes.first(bytes.size() - 1));
  co_return found;
}

// ---- Overlapped tags ----

async::Task<Finding> Overlap(Bench& bench) {
  const std::string unleft = co_await Leave(bench, Inquiry(kTag));
  if (!unleft.empty()) co_return Skip("no command can be left waiting: " + unleft);
  const std::vector<uint8_t> iu = CommandIuOf(Inquiry(kTag), bench.lun());
  const std::string unsent = co_await SendIu(bench, iu);
  if (!unsent.empty()) co_return Fail(unsent);
  const UasResponse response = co_await ReadResponse(bench, kTag);
  const std::string wrong = Expect(response, ResponseCode::kOverlappedTag);
  if (!wrong.empty()) co_return Fail(wrong);
  const std::string after = co_await StillWorks(bench);
  co_return Judge(after);
}

// ---- Task management ----

async::Task<Finding> CheckIdle(Bench& bench, TaskFunction function, bool optional) {
  const UasResponse response = co_await Manage(bench, FunctionOf(function, bench.lun(), 0x55));
  if (optional && response.code == ResponseCode::kNotSupported) co_return Pass();
  co_return Judge(Expect(response, ResponseCode::kComplete));
}
async::Task<Finding> QueryTaskIdle(Bench& bench) {
  return CheckIdle(bench, TaskFunction::kQueryTask, true);
}
async::Task<Finding> QuerySetIdle(Bench& bench) {
  return CheckIdle(bench, TaskFunction::kQueryTaskSet, true);
}
async::Task<Finding> AbortTaskIdle(Bench& bench) {
  return CheckIdle(bench, TaskFunction::kAbortTask, false);
}
async::Task<Finding> AbortSetIdle(Bench& bench) {
  return CheckIdle(bench, TaskFunction::kAbortTaskSet, false);
}
async::Task<Finding> ClearSetIdle(Bench& bench) {
  return CheckIdle(bench, TaskFunction::kClearTaskSet, true);
}
async::Task<Finding> ClearAca(Bench& bench) {
  return CheckIdle(bench, TaskFunction::kClearAca, true);
}
async::Task<Finding> NexusReset(Bench& bench) {
  return CheckIdle(bench, TaskFunction::kNexusReset, true);
}
async::Task<Finding> QueryEvent(Bench& bench) {
  return CheckIdle(bench, TaskFunction::kQueryAsynchronousEvent, true);
}

// With a command that waits for its data to be fetched.
async::Task<Finding> CheckWaiting(Bench& bench, TaskFunction function, ResponseCode code,
                                  bool aborts) {
  const std::string unleft = co_await Leave(bench, Inquiry(kTag));
  if (!unleft.empty()) co_return Skip("no command can be left waiting: " + unleft);
  const UasResponse response = co_await Manage(bench, FunctionOf(function, bench.lun(), kTag));
  if (!aborts) {
    // It is still there: it is taken back, so that its tag is free.
    co_await Manage(bench, FunctionOf(TaskFunction::kAbortTask, bench.lun(), kTag));
    if (response.code == ResponseCode::kNotSupported) co_return Skip("it is not supported");
  }
  const std::string wrong = Expect(response, code);
  if (!wrong.empty()) co_return Fail(wrong);
  const std::string after = co_await StillWorks(bench);
  co_return Judge(after);
}
async::Task<Finding> QueryTaskWaiting(Bench& bench) {
  return CheckWaiting(bench, TaskFunction::kQueryTask, ResponseCode::kSucceeded, false);
}
async::Task<Finding> QuerySetWaiting(Bench& bench) {
  return CheckWaiting(bench, TaskFunction::kQueryTaskSet, ResponseCode::kSucceeded, false);
}
async::Task<Finding> AbortTaskWaiting(Bench& bench) {
  return CheckWaiting(bench, TaskFunction::kAbortTask, ResponseCode::kComplete, true);
}
async::Task<Finding> AbortSetWaiting(Bench& bench) {
  return CheckWaiting(bench, TaskFunction::kAbortTaskSet, ResponseCode::kComplete, true);
}
async::Task<Finding> UnitResetWaiting(Bench& bench) {
  return CheckWaiting(bench, TaskFunction::kLogicalUnitReset, ResponseCode::kComplete, true);
}

async::Task<Finding> UnitResetAttention(Bench& bench) {
  const UasResponse response =
      co_await Manage(bench, FunctionOf(TaskFunction::kLogicalUnitReset, bench.lun()));
  const std::string wrong = Expect(response, ResponseCode::kComplete);
  if (!wrong.empty()) co_return Fail(wrong);
  UasCommand ready{.tag = kTag, .cdb = scsi::TestUnitReady()};
  const UasCommand done = co_await RunOne(bench, std::move(ready));
  if (!done.broken.empty()) co_return Fail(done.broken);
  if (done.sense && done.sense->key == scsi::SenseKey::kUnitAttention && done.sense->asc == 0x29) {
    co_return Pass();
  }
  co_return Fail("no unit attention 29h tells of the reset");
}

async::Task<Finding> FunctionUnknown(Bench& bench) {
  UasFunction function = FunctionOf(TaskFunction::kQueryTask, bench.lun());
  function.function = 0xff;
  const UasResponse response = co_await Manage(bench, function);
  co_return Judge(Expect(response, ResponseCode::kNotSupported));
}

async::Task<Finding> LunIncorrect(Bench& bench) {
  const UasFunction function = FunctionOf(TaskFunction::kLogicalUnitReset, 0xfe);
  const UasResponse response = co_await Manage(bench, function);
  co_return Judge(Expect(response, ResponseCode::kIncorrectLun));
}

constexpr Case kCases[] = {
    {"iu-unknown", "UAS, 6.2.6", "an unknown IU ID is answered 02h", false, IdUnknown},
    {"iu-of-device", "UAS, 6.2.6", "an IU that only devices send is answered 02h", false,
     IdOfDevices},
    {"command-short", "UAS, 6.2.2", "a COMMAND IU of 31 bytes is answered 02h", false,
     CommandShort},
    {"command-long", "UAS, 6.2.2", "a COMMAND IU of 36 bytes is answered 02h", false, CommandLong},
    {"command-additional", "UAS, 6.2.2", "additional CDB bytes that are missing are answered 02h",
     false, CommandAdditional},
    {"management-short", "UAS, 6.2.7", "a TASK MANAGEMENT IU of 15 bytes is answered 02h", false,
     ManagementShort},
    {"overlapped-tag", "SAM-5, 5.10; UAS, 6.2.6", "a tag in use is answered 0Ah", false, Overlap},
    {"query-task-idle", "SAM-5, 7", "QUERY TASK of none: complete", false, QueryTaskIdle},
    {"query-set-idle", "SAM-5, 7", "QUERY TASK SET of none: complete", false, QuerySetIdle},
    {"abort-task-idle", "SAM-5, 7", "ABORT TASK of none: complete", false, AbortTaskIdle},
    {"abort-set-idle", "SAM-5, 7", "ABORT TASK SET of none: complete", false, AbortSetIdle},
    {"clear-set-idle", "SAM-5, 7", "CLEAR TASK SET of none: complete, or not supported", false,
     ClearSetIdle},
    {"clear-aca", "SAM-5, 7", "CLEAR ACA: complete, or not supported", false, ClearAca},
    {"query-event", "SAM-5, 7", "QUERY ASYNCHRONOUS EVENT: complete, or not supported", false,
     QueryEvent},
    {"query-task", "SAM-5, 7", "QUERY TASK of one that waits: succeeded", false, QueryTaskWaiting},
    {"query-set", "SAM-5, 7", "QUERY TASK SET with one that waits: succeeded", false,
     QuerySetWaiting},
    {"abort-task", "SAM-5, 7", "ABORT TASK ends one that waits", false, AbortTaskWaiting},
    {"abort-set", "SAM-5, 7", "ABORT TASK SET ends one that waits", false, AbortSetWaiting},
    {"unit-reset", "SAM-5, 7", "LOGICAL UNIT RESET ends one that waits", false, UnitResetWaiting},
    {"unit-reset-attention", "SAM-5, 7", "a unit attention 29h tells of LOGICAL UNIT RESET", false,
     UnitResetAttention},
    {"nexus-reset", "SAM-5, 7", "I_T NEXUS RESET: complete, or not supported", false, NexusReset},
    {"function-unknown", "UAS, 6.2.6", "an unknown function is answered 04h", false,
     FunctionUnknown},
    {"lun-incorrect", "UAS, 6.2.6", "a function for a unit that is not there is answered 09h",
     false, LunIncorrect},
};

std::span<const Case> AllCases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> cases;
    for (const auto part : {UasDescriptorCases(), UasCommandCases(), UasManagementCases()}) {
      cases.insert(cases.end(), part.begin(), part.end());
    }
    return cases;
  }();
  return all;
}

}  // namespace

std::span<const Case> UasManagementCases() {
  return kCases;
}

Suite UasSuite() {
  return {"uasp", "descriptors, information units, tags and task management", PrepareUnit,
          AllCases()};
}

}  // namespace usbtwin::conform
