// SANITIZE and FORMAT UNIT of a Disk. While they go on, and after a SANITIZE that failed, the
// medium cannot be used. A command without IMMED waits for the end; aborting it ends the wait
// alone. Cryptographic erase is not offered: nothing is encrypted. SBC-3, 4.11 and 5.
#include <algorithm>

#include "emulator/disk.h"

namespace usbtwin::emulator {

using scsi::Command;
using scsi::Sense;
using scsi::SenseKey;
using wire::scsi::FormatLongHeader;
using wire::scsi::FormatShortHeader;
using wire::scsi::OverwriteHeader;
using wire::scsi::SanitizeAction;

namespace {

constexpr uint32_t kPatternLength = 64 << 10;  // bytes written in one step

// As much of the medium as one step writes: each block begins with the pattern anew.
std::vector<uint8_t> PatternOf(Bytes pattern, uint32_t block_size) {
  std::vector<uint8_t> bytes(kPatternLength);
  for (size_t index = 0; index < bytes.size(); ++index) {
    bytes[index] = pattern[index % block_size % pattern.size()];
  }
  return bytes;
}

}  // namespace

void Disk::Run(Command& command, const scsi::cdb::Sanitize& what) {
  // A list has only the overwrite.
  if (what.action != SanitizeAction::kOverwrite && what.parameter_list_length != 0) {
    return Fail(command, scsi::InvalidFieldInCdb(7));
  }
  if (what.action == SanitizeAction::kExitFailureMode) {
    if (!sanitize_failed_) return Finish(command);
    if (!erasure_.plan().unrestricted) return Fail(command, scsi::InvalidFieldInCdb(1, 4));
    sanitize_failed_ = false;
    return Finish(command);
  }
  if (!EnterErasable(command)) return;
  if (what.action == SanitizeAction::kOverwrite) {
    // The header, and a pattern of at least a byte and at most a block.
    const uint32_t length = what.parameter_list_length;
    if (length <= sizeof(OverwriteHeader) ||
        length > sizeof(OverwriteHeader) + options_.block_size) {
      return Fail(command, scsi::InvalidFieldInCdb(7));
    }
    return Gather(command, length);
  }
  Erase(command, {.unrestricted = what.unrestricted}, what.immediate);
}

void Disk::Apply(Command& command, const scsi::cdb::Sanitize& what) {
  if (!EnterErasable(command)) return;
  const Bytes list = command.gathered;
  const auto& header = *wire::View<OverwriteHeader>(list);
  const uint8_t passes_count = header.flags & wire::scsi::kOverwriteCountMask;
  const Bytes pattern = list.subspan(sizeof(header));
  if ((header.flags & wire::scsi::kOverwriteTestMask) != 0) {
    return Fail(command, scsi::InvalidFieldInList(0, 6));
  }
  if (passes_count == 0) return Fail(command, scsi::InvalidFieldInList(0, 4));
  if (header.pattern_length != pattern.size()) {
    return Fail(command, scsi::InvalidFieldInList(2));
  }
  command.length_out = command.length_total;
  Erase(command,
        {.pattern = PatternOf(pattern, options_.block_size),
         .passes_count = passes_count,
         .invert = (header.flags & wire::scsi::kOverwriteInvert) != 0,
         .unrestricted = what.unrestricted},
        what.immediate);
}

// There are no defects to be told of, and nothing to choose.
void Disk::Run(Command& command, const scsi::cdb::FormatUnit& what) {
  if (!EnterErasable(command)) return;
  if (!what.has_list) {
    // Without a list there is neither another format of it nor a complete one. SBC-3, 5.
    if (what.complete) return Fail(command, scsi::InvalidFieldInCdb(1, 3));
    if (what.defect_format != 0) return Fail(command, scsi::InvalidFieldInCdb(1, 2));
    return Erase(command, {.kind = Erasure::Kind::kFormat}, false);
  }
  Gather(command, what.long_list ? sizeof(FormatLongHeader) : sizeof(FormatShortHeader));
}

void Disk::Apply(Command& command, const scsi::cdb::FormatUnit& what) {
  if (!EnterErasable(command)) return;
  const Bytes list = command.gathered;
  const auto& header = *wire::View<FormatShortHeader>(list);  // the longer one begins alike
  const uint32_t defects_length = what.long_list
                                      ? uint32_t{wire::View<FormatLongHeader>(list)->defects_length}
                                      : uint32_t{header.defects_length};
  if ((header.protection & 0x07) != 0) return Fail(command, scsi::InvalidFieldInList(0, 2));
  if ((header.flags & wire::scsi::kFormatPattern) != 0) {
    return Fail(command, scsi::InvalidFieldInList(1, 3));
  }
  if (defects_length != 0) return Fail(command, scsi::InvalidFieldInList(what.long_list ? 4 : 2));
  command.length_out = command.length_total;
  Erase(command, {.kind = Erasure::Kind::kFormat},
        (header.flags & wire::scsi::kFormatImmediate) != 0);
}

// As EnterWritable, but a medium that a SANITIZE spoilt can be erased again.
bool Disk::EnterErasable(Command& command) {
  const bool failed = std::exchange(sanitize_failed_, false);
  const bool enters = EnterWritable(command);
  sanitize_failed_ = failed;
  return enters;
}

void Disk::Erase(Command& command, Erasure::Plan plan, bool immediate) {
  sanitize_failed_ = false;
  erasure_.Start(std::move(plan));
  if (immediate) return Finish(command);
  set_work(command, Work::kErase);
  erase_waiter_ = &command;
}

void Disk::HandleErased() {
  const bool sanitized = erasure_.plan().kind == Erasure::Kind::kSanitize;
  const bool failed = erasure_.outcome() != StoreOutcome::kOk;
  sanitize_failed_ = sanitized && failed;
  Command* const waiter = std::exchange(erase_waiter_, nullptr);
  if (waiter == nullptr) return;
  if (!failed) return Finish(*waiter);
  // Sanitize command failed; format command failed.
  const uint8_t ascq = sanitized ? 0x03 : 0x01;
  Fail(*waiter, {.key = SenseKey::kMediumError, .asc = 0x31, .ascq = ascq});
}

// Why nothing can be done with the medium: it is being erased, or was in vain.
std::optional<Sense> Disk::ErasureSense() const {
  if (erasure_.running()) {
    const bool sanitizes = erasure_.plan().kind == Erasure::Kind::kSanitize;
    const uint8_t ascq = sanitizes ? 0x1b : 0x04;  // sanitize, or format, in progress
    return Sense{.key = SenseKey::kNotReady,
                 .asc = 0x04,
                 .ascq = ascq,
                 .progress_valid = true,
                 .progress = erasure_.progress()};
  }
  if (sanitize_failed_) {  // sanitize command failed
    return Sense{.key = SenseKey::kMediumError, .asc = 0x31, .ascq = 0x03};
  }
  return std::nullopt;
}

}  // namespace usbtwin::emulator
