// What a direct-access block device answers, whatever carries the commands. SPC-4 and SBC-3.
#include <algorithm>

#include "conform/scsi_cases.h"
#include "wire/scsi_data.h"

namespace usbtwin::conform {

using scsi::SenseKey;
using Answer = Bench::Answer;

scsi::Cdb CdbOf(std::initializer_list<uint8_t> bytes) {
  scsi::Cdb cdb;
  std::copy(bytes.begin(), bytes.end(), cdb.bytes.begin());
  cdb.length = static_cast<uint8_t>(bytes.size());
  return cdb;
}

std::string ExpectRefused(const Answer& answer, uint8_t asc) {
  return ExpectSense(answer, SenseKey::kIllegalRequest, asc, 0);
}

bool IsRefused(const Answer& answer, uint8_t asc) {
  return ExpectRefused(answer, asc).empty();
}

bool IsProtected(const Answer& answer) {
  return ExpectSense(answer, SenseKey::kDataProtect, 0x27, 0).empty();
}

Finding NotSupported(const char* command) {
  return Skip(std::string(command) + " is not supported");
}

async::Task<std::vector<uint8_t>> VitalPage(Bench& bench, uint8_t page) {
  const scsi::Cdb cdb = scsi::Inquiry(true, page, kPageLengthMax);
  Answer answer = co_await bench.Ask(cdb, kPageLengthMax);
  if (!answer.good()) answer.data.clear();
  co_return answer.data;
}

async::Task<bool> HasProtection(Bench& bench) {
  const scsi::Cdb cdb = scsi::Inquiry(false, 0, kInquiryLength);
  const Answer answer = co_await bench.Ask(cdb, kInquiryLength);
  co_return answer.data.size() >= 6 && (answer.data[5] & 1) != 0;
}

uint64_t NumberAt(Bytes data, size_t offset, size_t length) {
  if (data.size() < offset + length) return 0;
  uint64_t number = 0;
  for (const uint8_t byte : data.subspan(offset, length)) number = number << 8 | byte;
  return number;
}

namespace {

std::span<const Case> AllCases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> cases;
    for (const auto part : {ScsiUnitCases(), ScsiManagementCases(), ScsiReadCases(),
                            ScsiWriteCases(), ScsiProvisioningCases()}) {
      cases.insert(cases.end(), part.begin(), part.end());
    }
    return cases;
  }();
  return all;
}

}  // namespace

Suite ScsiSuite() {
  return {"scsi", "what a direct-access block device answers", PrepareUnit, AllCases()};
}

}  // namespace usbtwin::conform
