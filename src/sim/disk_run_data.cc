// Whether the data that the host was brought is right, and stays so where it was lent.
#include "sim/disk_run.h"

#include <algorithm>

namespace usbtwin::sim {

using fault::Injection;
using fault::Kind;

namespace {

uint32_t ValidOf(uint32_t length, const host::ScsiResult& answer) {
  return std::min(answer.length_actual, length - std::min(answer.residue, length));
}

}  // namespace

void DiskRun::Unflip(MutableBytes bytes) const {
  for (const Injection& injection : Injections()) {
    const bool data = injection.moment == fault::Moment::kDataIn;
    if (injection.kind == Kind::kCorruptIn && injection.observed && data) Unflip(injection, bytes);
  }
}

void DiskRun::Unflip(const Injection& injection, MutableBytes bytes) const {
  const uint32_t bit = RuleOf(injection).value_or_default();
  if (bit / 8 < bytes.size()) bytes[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
}

// What moved, and what the residue says did not. The device tells what it did; a link that takes
// bytes away does not change what it tells.
void DiskRun::JudgeLengths(const Request& request, const host::ScsiResult& answer) {
  const auto fail = [&](const std::string& expected) {
    Fail(Law::kLength, "operation code " + Hex({&request.cdb.bytes[0], 1}) + " for " +
                           std::to_string(request.length) + " bytes moved " +
                           std::to_string(answer.length_actual) + " with residue " +
                           std::to_string(answer.residue) + "; expected " + expected);
  };
  if (answer.status != scsi::Status::kGood) {
    const bool plain = Injections().empty() && !cancelled_ && !hurried_;
    if (plain && answer.residue != request.length) fail("all of it as residue of a refusal");
    return;
  }
  const uint32_t whole = WholeLength(request);
  uint32_t moved = whole;
  uint32_t residue = request.length - whole;
  std::optional<uint32_t> lie;
  int cuts_count = 0;
  bool known = true;
  for (const Injection& injection : Injections()) {
    const fault::Rule& rule = RuleOf(injection);
    const bool data_in = injection.moment == fault::Moment::kDataIn;
    if (injection.kind == Kind::kResidueLie && injection.observed) {
      const uint32_t value = rule.value_or_default();
      lie = value == UINT32_MAX ? request.length : value;
    }
    const bool cuts = injection.kind == Kind::kStatusForData ||
                      injection.kind == Kind::kShortData ||
                      (data_in && injection.kind == Kind::kShortIn) ||
                      (data_in && injection.kind == Kind::kStallData);
    if (!cuts) continue;
    known = known && injection.observed;  // whatever else was changed may have hidden it
    ++cuts_count;
    const bool none = injection.kind == Kind::kStatusForData;
    moved = std::min(moved, none ? 0 : rule.length_or_default());
    if (injection.kind != Kind::kShortIn) residue = request.length - moved;
  }
  const bool right = cuts_count > 1 || !known
                         ? answer.length_actual <= whole
                         : answer.length_actual == moved && answer.residue == lie.value_or(residue);
  if (right) return;
  fail(std::to_string(moved) + " and " + std::to_string(lie.value_or(residue)));
}

void DiskRun::JudgeData(const Request& request, const host::ScsiResult& answer) {
  if (request.kind == Request::Kind::kRead) return JudgeRead(request, answer);
  if (request.kind == Request::Kind::kVerify) return JudgeVerify(request);
  const Bytes expected = Take(expected_data_.Find(request.lun, request.cdb.view()), request.length);
  if (expected.empty()) return;
  const Bytes came = Bytes(room_).first(ValidOf(request.length, answer));
  std::optional<std::string> wrong = ExpectedData::Compare(expected, came);
  if (wrong && request.kind == Request::Kind::kCapacity && Injected(Kind::kLyingCapacity)) {
    wrong = ExpectedData::Compare(expected_data_.FindLie(request.lun, request.cdb.view()), came);
  }
  if (!wrong) return;
  Fail(Law::kData, "operation code " + Hex({&request.cdb.bytes[0], 1}) + " to LUN " +
                       std::to_string(request.lun) + " brought wrong data: " + *wrong);
}

void DiskRun::JudgeSense(const Request& request, const host::ScsiResult& answer) {
  const Bytes came = Bytes(room_).first(ValidOf(request.length, answer));
  // What was cut tells nothing; where that had no cause, the length is wrong.
  if (came.size() < scsi::kFixedSenseLength && !Injections().empty()) return;
  const std::optional<scsi::Sense> sense = scsi::ParseSense(came);
  if (auto wrong = reports_.JudgeSenseData(SentOf(request), sense)) Fail(*wrong);
  const bool whole = came.size() == scsi::kFixedSenseLength && (came[0] & 0x7f) == 0x70 &&
                     came[7] == scsi::kFixedSenseLength - 8;
  if (whole) return;
  Fail(Law::kData, "REQUEST SENSE brought what is no fixed sense: " + Hex(came));
}

// A unit that says that its blocks can be read has read them.
void DiskRun::JudgeVerify(const Request& request) {
  if (request.blocks == 0 || !Injections().empty()) return;
  const uint64_t length = uint64_t{request.blocks} * models_[request.lun].block_size();
  const uint64_t read = system_.stores()[request.lun]->bytes_read() - bytes_read_before_;
  if (read >= length) return;
  Fail(Law::kDiligence, "VERIFY of " + std::to_string(length) + " bytes ended well after " +
                            std::to_string(read) + " bytes of the medium were read");
}

void DiskRun::JudgeRead(const Request& request, const host::ScsiResult& answer) {
  const uint32_t valid = ValidOf(request.length, answer);
  ModelDisk& model = models_[request.lun];
  const uint32_t block_size = model.block_size();
  if (!reading_back_) {
    ++result_.report.reads;
    result_.report.blocks_moved += valid / block_size;
  }
  std::optional<std::string> wrong;
  const auto judge = [&](uint64_t lba, Bytes bytes) {
    const size_t whole = bytes.size() - bytes.size() % block_size;
    if (!wrong) wrong = model.Check(lba, bytes.first(whole));
    // Only a cut transfer ends within a block.
    const Bytes begun = bytes.subspan(whole);
    if (!wrong && !begun.empty()) wrong = model.CheckBegun(lba + whole / block_size, begun);
  };
  if (!request.lent) {
    judge(request.lba, Bytes(room_).first(valid));
  } else if (Injected(Kind::kCorruptIn)) {
    const MutableBytes copy = MutableBytes(room_).first(lent_.length());
    lent_.CopyTo(copy);
    Unflip(copy);
    judge(request.lba, Take(copy, valid));
  } else {
    uint64_t lba = request.lba;
    uint32_t left = valid;
    // The units' stores lend whole blocks.
    lent_.ForEach([&](Bytes piece) {
      const Bytes part = Take(piece, left);
      judge(lba, part);
      lba += part.size() / block_size;
      left -= static_cast<uint32_t>(part.size());
    });
    KeepLoan(request);
  }
  if (wrong) Fail(Law::kData, "READ: " + *wrong);
}

void DiskRun::KeepLoan(const Request& request) {
  // Rarely: the copy is dearer than the command. Which ones does not hang on the commands before.
  if (request.lba % 32 != 0) return;
  CheckLoan();
  loan_.leases.TakeFrom(lent_);
  loan_.bytes.resize(loan_.leases.length());
  loan_.leases.CopyTo(loan_.bytes);
}

void DiskRun::CheckLoan() {
  size_t offset = 0;
  loan_.leases.ForEach([&](Bytes piece) {
    if (!std::equal(piece.begin(), piece.end(), loan_.bytes.begin() + offset)) {
      Fail(Law::kLoan, "bytes that were lent to a READ changed with a later write");
    }
    offset += piece.size();
  });
  loan_.leases.Clear();
}

}  // namespace usbtwin::sim
