// Whether the data that the host was brought is right, and stays so where it was lent.
#include "sim/disk_run.h"

#include <algorithm>

namespace usbtwin::sim {

using fault::Kind;

namespace {

// The swarm flips bits among the first 64 of a transfer.
constexpr size_t kSpoiltLength = 8;

uint32_t ValidOf(uint32_t length, const host::ScsiResult& answer) {
  return std::min(answer.length_actual, length - std::min(answer.residue, length));
}

}  // namespace

void DiskRun::JudgeData(const Request& request, const host::ScsiResult& answer) {
  if (request.kind == Request::Kind::kRead) return JudgeRead(request, answer);
  const Bytes expected = Take(expected_data_.Find(request.lun, request.cdb.view()), request.length);
  if (expected.empty()) return;
  const Bytes came = Bytes(room_).first(ValidOf(request.length, answer));
  const size_t spoilt_length = Injected(Kind::kCorruptIn) ? kSpoiltLength : 0;
  std::optional<std::string> wrong = ExpectedData::Compare(expected, came, spoilt_length);
  if (wrong && request.kind == Request::Kind::kCapacity && Injected(Kind::kLyingCapacity)) {
    wrong = ExpectedData::Compare(expected_data_.lying_capacity(request.lun), came, spoilt_length);
  }
  if (!wrong && came.size() != expected.size() && Injections().empty()) {
    wrong = std::to_string(came.size()) + " bytes of " + std::to_string(expected.size()) +
            ", though nothing was made to go wrong";
  }
  if (!wrong) return;
  Fail("operation code " + Hex({&request.cdb.bytes[0], 1}) + " to LUN " +
       std::to_string(request.lun) + " brought wrong data: " + *wrong);
}

void DiskRun::JudgeSense(const Request& request, const host::ScsiResult& answer) {
  const Bytes came = Bytes(room_).first(ValidOf(request.length, answer));
  // What was cut tells nothing; where that had no cause, the length is wrong.
  if (came.size() < scsi::kFixedSenseLength && !Injections().empty()) return;
  const std::optional<scsi::Sense> sense = scsi::ParseSense(came);
  if (auto wrong = reports_.JudgeSenseData(SentOf(request), Injections(), sense)) Fail(*wrong);
  const bool whole = came.size() == scsi::kFixedSenseLength && (came[0] & 0x7f) == 0x70 &&
                     came[7] == scsi::kFixedSenseLength - 8;
  if (whole || Injected(Kind::kCorruptIn)) return;
  Fail("REQUEST SENSE brought what is no fixed sense: " + Hex(came));
}

void DiskRun::JudgeRead(const Request& request, const host::ScsiResult& answer) {
  const uint32_t valid = ValidOf(request.length, answer);
  if (valid != request.length && Injections().empty()) {
    return Fail("a read brought " + std::to_string(valid) + " of " +
                std::to_string(request.length) + " bytes though nothing was made to go wrong");
  }
  ModelDisk& model = models_[request.lun];
  const uint32_t block_size = model.block_size();
  if (!reading_back_) {
    ++result_.report.reads;
    result_.report.blocks_moved += valid / block_size;
  }
  // A bit that was flipped is in the first block.
  const bool spoilt = Injected(Kind::kCorruptIn);
  std::optional<std::string> wrong;
  const auto judge = [&](uint64_t lba, Bytes bytes) {
    if (spoilt && lba == request.lba && !bytes.empty()) {
      ++lba;
      bytes = Drop(bytes, block_size);
    }
    const size_t whole = bytes.size() - bytes.size() % block_size;
    if (!wrong) wrong = model.Check(lba, bytes.first(whole));
    // Only a cut transfer ends within a block.
    const Bytes begun = bytes.subspan(whole);
    if (!wrong && !begun.empty()) wrong = model.CheckBegun(lba + whole / block_size, begun);
  };
  if (!request.lent) {
    judge(request.lba, Bytes(room_).first(valid));
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
  if (wrong) Fail("READ: " + *wrong);
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
      Fail("bytes that were lent to a READ changed with a later write");
    }
    offset += piece.size();
  });
  loan_.leases.Clear();
}

}  // namespace usbtwin::sim
