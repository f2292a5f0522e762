#include "sim/model_disk.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "base/check.h"
#include "sim/choosers.h"

namespace usbtwin::sim {
namespace {

// The first bytes of every block that was written.
struct Stamp {
  uint32_t version;
  uint32_t lun_mark;
  uint64_t lba;
};
constexpr uint32_t kMark = 0x5b10c000;  // "block", and the LUN in its low byte
constexpr size_t kFillerLength = 1 << 14;
constexpr uint64_t kFillerSeed = 1;
constexpr size_t kBlockMax = 4096;  // bytes

// What blocks are filled with, each from a place of its own on; the same for all disks.
const std::array<uint8_t, kFillerLength + kBlockMax>& Filler() {
  static const auto kFiller = [] {
    std::array<uint8_t, kFillerLength + kBlockMax> filler;
    Seeded random(kFillerSeed);
    for (uint8_t& byte : filler) byte = static_cast<uint8_t>(random.Choose(256, "filler"));
    return filler;
  }();
  return kFiller;
}

std::string NameOf(uint32_t version) {
  if (version == ModelDisk::kAnything) return "what was never written";
  return "version " + std::to_string(version);
}

void AddUnique(std::vector<uint32_t>& to, std::span<const uint32_t> from) {
  for (const uint32_t version : from) {
    if (std::find(to.begin(), to.end(), version) == to.end()) to.push_back(version);
  }
}

}  // namespace

ModelDisk::ModelDisk(uint8_t lun, uint64_t blocks_count, uint32_t block_size, bool power_may_fail)
    : lun_(lun),
      block_size_(block_size),
      power_may_fail_(power_may_fail),
      versions_(blocks_count),
      filler_(Filler().data()) {
  CHECK_LE(sizeof(Stamp), block_size);
  CHECK_LE(block_size, kBlockMax);
}

void ModelDisk::Fill(uint64_t lba, Version version, MutableBytes block) const {
  const Stamp stamp{.version = version, .lun_mark = kMark | lun_, .lba = lba};
  std::memcpy(block.data(), &stamp, sizeof(stamp));
  // Neighbours and successors differ in every byte, not only in the stamp.
  const size_t start = (version * 61 + lba * 7) % kFillerLength;
  std::memcpy(block.data() + sizeof(stamp), filler_ + start, block_size_ - sizeof(stamp));
}

bool ModelDisk::Holds(uint64_t lba, Version version, Bytes block) const {
  if (version == kAnything) return true;
  if (version == 0) {
    return block[0] == 0 && std::memcmp(block.data(), block.data() + 1, block_size_ - 1) == 0;
  }
  Stamp stamp;
  std::memcpy(&stamp, block.data(), sizeof(stamp));
  if (stamp.version != version || stamp.lun_mark != (kMark | lun_) || stamp.lba != lba) {
    return false;
  }
  const size_t start = (version * 61 + lba * 7) % kFillerLength;
  return std::memcmp(block.data() + sizeof(stamp), filler_ + start, block_size_ - sizeof(stamp)) ==
         0;
}

ModelDisk::Version ModelDisk::FillNew(uint64_t lba, MutableBytes target) {
  CHECK_EQ(target.size() % block_size_, 0u);
  const Version version = ++version_last_;
  CHECK_LT(version, kInDoubt);
  while (!target.empty()) {
    Fill(lba++, version, target.first(block_size_));
    target = target.subspan(block_size_);
  }
  return version;
}

ModelDisk::Versions ModelDisk::Allowed(uint64_t lba) const {
  if (versions_[lba] != kInDoubt) return {versions_[lba]};
  return doubts_.at(lba);
}

void ModelDisk::Set(uint64_t lba, Versions versions) {
  if (versions.size() == 1) {
    if (versions_[lba] == kInDoubt) doubts_.erase(lba);
    versions_[lba] = versions[0];
    return;
  }
  versions_[lba] = kInDoubt;
  doubts_[lba] = std::move(versions);
}

void ModelDisk::Remember(uint64_t lba, const Versions& versions) {
  if (power_may_fail_) AddUnique(unsynced_[lba], versions);
}

void ModelDisk::HandleWritten(uint64_t lba, uint64_t count, Version version, bool synchronised) {
  for (const uint64_t final = lba + count; lba < final; ++lba) {
    if (synchronised) {
      unsynced_.erase(lba);
    } else if (power_may_fail_ && versions_[lba] == kInDoubt) {
      Remember(lba, doubts_.at(lba));
    } else if (power_may_fail_) {
      AddUnique(unsynced_[lba], {&versions_[lba], 1});
    }
    if (versions_[lba] == kInDoubt) doubts_.erase(lba);
    versions_[lba] = version;
  }
}

void ModelDisk::HandleMaybeWritten(uint64_t lba, uint64_t count, Version version) {
  for (const uint64_t final = lba + count; lba < final; ++lba) {
    Versions versions = Allowed(lba);
    Remember(lba, versions);
    AddUnique(versions, {&version, 1});
    Set(lba, std::move(versions));
  }
}

void ModelDisk::HandleSpoilt(uint64_t lba, uint64_t count) {
  for (const uint64_t final = lba + count; lba < final; ++lba) {
    Remember(lba, {kAnything});
    Set(lba, {kAnything});
  }
}

void ModelDisk::HandleSynchronised() {
  unsynced_.clear();
}

void ModelDisk::HandleSynchronised(uint64_t lba, uint64_t count) {
  if (unsynced_.empty()) return;
  for (const uint64_t final = lba + count; lba < final; ++lba) unsynced_.erase(lba);
}

void ModelDisk::HandlePowerLoss() {
  for (auto& [lba, before] : unsynced_) {
    Versions versions = Allowed(lba);
    before_loss_[lba] = *std::min_element(versions.begin(), versions.end());
    AddUnique(versions, before);
    Set(lba, std::move(versions));
  }
  unsynced_.clear();  // what is there now is on the medium
}

std::optional<std::string> ModelDisk::Check(uint64_t lba, Bytes bytes) {
  CHECK_EQ(bytes.size() % block_size_, 0u);
  CHECK_LE(lba + bytes.size() / block_size_, blocks_count());
  bytes_compared_ += bytes.size();
  while (!bytes.empty()) {
    const Bytes block = bytes.first(block_size_);
    const Version version = versions_[lba];
    if (version == kInDoubt) {
      if (std::optional<std::string> wrong = CheckDoubtful(lba, block)) return wrong;
    } else if (!Holds(lba, version, block)) {
      return Describe(lba, block);
    }
    bytes = bytes.subspan(block_size_);
    ++lba;
  }
  return std::nullopt;
}

std::optional<std::string> ModelDisk::CheckBegun(uint64_t lba, Bytes bytes) {
  CHECK_LT(bytes.size(), block_size_);
  CHECK_LT(lba, blocks_count());
  bytes_compared_ += bytes.size();
  std::vector<uint8_t> block(block_size_);
  for (const Version version : Allowed(lba)) {
    if (version == kAnything) return std::nullopt;
    std::fill(block.begin(), block.end(), uint8_t{0});
    if (version != 0) Fill(lba, version, block);
    if (SameBytes(Bytes(block).first(bytes.size()), bytes)) return std::nullopt;
  }
  return "LUN " + std::to_string(lun_) + " block " + std::to_string(lba) + ": the first " +
         std::to_string(bytes.size()) + " bytes are of no version that is allowed";
}

std::optional<std::string> ModelDisk::CheckDoubtful(uint64_t lba, Bytes block) {
  const Versions versions = doubts_.at(lba);
  // A version that can be told from all others first: "anything" fits everything.
  for (const Version version : versions) {
    if (version == kAnything || !Holds(lba, version, block)) continue;
    HandleSeen(lba, version);
    return std::nullopt;
  }
  if (std::find(versions.begin(), versions.end(), kAnything) != versions.end()) return std::nullopt;
  return Describe(lba, block);
}

ModelDisk::Version ModelDisk::Identify(uint64_t lba, Bytes block) {
  bytes_compared_ += block.size();
  Stamp stamp;
  std::memcpy(&stamp, block.data(), sizeof(stamp));
  const bool stamped = stamp.version != 0 && stamp.version < kInDoubt;
  if (stamped && Holds(lba, stamp.version, block)) return stamp.version;
  return Holds(lba, 0, block) ? 0 : kAnything;
}

ModelDisk::Versions ModelDisk::Unsynchronised(uint64_t lba) const {
  const auto found = unsynced_.find(lba);
  return found == unsynced_.end() ? Versions{} : found->second;
}

void ModelDisk::HandleSeen(uint64_t lba, Version version) {
  if (versions_[lba] != kInDoubt || version == kAnything) return;
  Remember(lba, doubts_.at(lba));  // the medium itself may still hold another
  Set(lba, {version});
  const auto found = before_loss_.find(lba);
  if (found == before_loss_.end()) return;
  rolled_back_ += version < found->second;
  before_loss_.erase(found);
}

void ModelDisk::HandleRaced(uint64_t lba, Versions left, const Versions& written) {
  Remember(lba, Allowed(lba));
  Remember(lba, written);
  Set(lba, std::move(left));
}

std::string ModelDisk::Describe(uint64_t lba, Version found, const Versions& allowed) const {
  std::string text = "LUN " + std::to_string(lun_) + " block " + std::to_string(lba) + " holds " +
                     NameOf(found) + "; allowed: ";
  for (const Version version : allowed) {
    if (version != allowed.front()) text += " or ";
    text += NameOf(version);
  }
  return text;
}

std::string ModelDisk::Describe(uint64_t lba, Bytes block) const {
  Stamp stamp;
  std::memcpy(&stamp, block.data(), sizeof(stamp));
  std::string found;
  if (Holds(lba, 0, block)) {
    found = "zeros";
  } else if ((stamp.lun_mark & ~0xffu) == kMark) {
    found = "version " + std::to_string(stamp.version) + " of block " + std::to_string(stamp.lba) +
            " of LUN " + std::to_string(stamp.lun_mark & 0xff);
    ModelDisk other(static_cast<uint8_t>(stamp.lun_mark), 0, block_size_, false);
    if (!other.Holds(stamp.lba, stamp.version, block)) found += ", torn or spoilt";
  } else {
    found = "bytes that were never written, beginning " + Hex(Take(block, 16));
  }
  std::string allowed;
  for (const Version version : Allowed(lba)) {
    if (!allowed.empty()) allowed += " or ";
    allowed += version == kAnything ? "anything" : "version " + std::to_string(version);
  }
  return "LUN " + std::to_string(lun_) + " block " + std::to_string(lba) + " holds " + found +
         "; allowed: " + allowed;
}

}  // namespace usbtwin::sim
