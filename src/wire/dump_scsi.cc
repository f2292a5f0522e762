// Bulk-only wrappers and sense data as lines.
#include <algorithm>
#include <cinttypes>

#include "wire/bot.h"
#include "wire/dump.h"
#include "wire/dump_lines.h"
#include "wire/scsi.h"

namespace usbtwin::wire::dump {
namespace {

constexpr const char* kSenseKeys[] = {
    "no sense",       "recovered error", "not ready",      "medium error",
    "hardware error", "illegal request", "unit attention", "data protect",
    "blank check",    "vendor specific", "copy aborted",   "aborted command",
    "reserved",       "volume overflow", "miscompare",     "completed"};

void AddKeySpecific(Lines& lines, unsigned key, Bytes specific) {
  if ((specific[0] & scsi::kKeySpecificValid) == 0) return;
  const unsigned value = static_cast<unsigned>(specific[1] << 8 | specific[2]);
  if (key == 0 || key == 2) {  // SPC-4, 4.5.2.4.4
    lines.More(", progress %u of 65536", value);
    return;
  }
  if (key != 5) {
    lines.More(", key specific %02x %04x", specific[0], value);
    return;
  }
  lines.More(", %s byte %u", (specific[0] & scsi::kFieldInCommand) != 0 ? "command" : "parameter",
             value);
  if ((specific[0] & scsi::kFieldBitValid) != 0) {
    lines.More(" bit %u", specific[0] & scsi::kFieldBitMask);
  }
}

void AddFixedSense(Lines& lines, Bytes bytes, const char* when) {
  // Up to ASCQ. What follows may be missing: SPC-4, 4.5.3.
  constexpr size_t kLengthMin = 14;
  constexpr size_t kSpecificOffset = 15;
  if (bytes.size() < kLengthMin) {
    lines.Truncated("fixed sense", bytes, sizeof(scsi::FixedSense));
    return;
  }
  const unsigned key = bytes[2] & scsi::kSenseKeyMask;
  lines.Add("sense fixed %s: key %x (%s) asc %02x ascq %02x", when, key, kSenseKeys[key], bytes[12],
            bytes[13]);
  if ((bytes[0] & scsi::kInformationValid) != 0) {
    lines.More(", information %u", unsigned{*View<Be32>(bytes.subspan(3))});
  }
  if (bytes.size() >= sizeof(scsi::FixedSense)) {
    AddKeySpecific(lines, key, bytes.subspan(kSpecificOffset, 3));
  }
  const size_t length = size_t{8} + bytes[7];
  if (length > bytes.size()) lines.More(", truncated: %zu of %zu bytes", bytes.size(), length);
  lines.Leftover(Drop(bytes, std::max(length, sizeof(scsi::FixedSense))));
}

void AddDescriptorSense(Lines& lines, Bytes bytes, const char* when) {
  const auto* sense = View<scsi::DescriptorSense>(bytes);
  if (sense == nullptr) {
    lines.Truncated("descriptor sense", bytes, sizeof(*sense));
    return;
  }
  const unsigned key = sense->key & scsi::kSenseKeyMask;
  lines.Add("sense descriptor %s: key %x (%s) asc %02x ascq %02x", when, key, kSenseKeys[key],
            sense->asc, sense->ascq);
  const size_t length = sizeof(*sense) + sense->additional_length;
  Bytes rest = Drop(Take(bytes, length), sizeof(*sense));
  while (const auto* header = View<scsi::SenseDescriptorHeader>(rest)) {
    const Bytes descriptor = Take(rest, sizeof(*header) + header->additional_length);
    const auto* information = View<scsi::InformationDescriptor>(descriptor);
    const auto* specific = View<scsi::KeySpecificDescriptor>(descriptor);
    if (header->type == scsi::kInformationDescriptor && information != nullptr) {
      lines.More(", information %" PRIu64, uint64_t{information->information});
    } else if (header->type == scsi::kKeySpecificDescriptor && specific != nullptr) {
      AddKeySpecific(lines, key, specific->key_specific);
    } else {
      lines.More(", descriptor %02x", header->type);
      lines.Hex(descriptor);
    }
    rest = Drop(rest, descriptor.size());
  }
  if (length > bytes.size()) lines.More(", truncated: %zu of %zu bytes", bytes.size(), length);
  if (!rest.empty()) lines.More(", odd: %zu bytes at the end", rest.size());
  lines.Leftover(Drop(bytes, length));
}

}  // namespace

void AddCommandWrapper(Lines& lines, Bytes bytes) {
  const auto* wrapper = View<bot::CommandBlockWrapper>(bytes);
  if (wrapper == nullptr) {
    lines.Truncated("CBW", bytes, sizeof(*wrapper));
    return;
  }
  lines.Add("CBW tag %x, %u bytes %s, lun %u, command block %u", unsigned{wrapper->tag},
            unsigned{wrapper->data_length},
            (wrapper->flags & bot::kDirectionIn) != 0 ? "in" : "out", wrapper->lun,
            wrapper->command_length);
  // What makes a CBW not valid or not meaningful: BOT 1.0, 6.2.
  if (wrapper->signature != bot::kCommandSignature) {
    lines.More(", odd: signature %08x", unsigned{wrapper->signature});
  }
  if ((wrapper->flags & ~bot::kDirectionIn) != 0) lines.More(", odd: flags %02x", wrapper->flags);
  if (wrapper->lun > bot::kLunMax) lines.More(", odd: lun above 15");
  if (wrapper->command_length == 0 || wrapper->command_length > bot::kCommandBlockLengthMax) {
    lines.More(", odd: command block length");
  }
  lines.Indent();
  AddCdb(lines, Take(Bytes(wrapper->command_block), wrapper->command_length));
  lines.Outdent();
  lines.Leftover(Drop(bytes, sizeof(*wrapper)));
}

void AddStatusWrapper(Lines& lines, Bytes bytes) {
  const auto* wrapper = View<bot::CommandStatusWrapper>(bytes);
  if (wrapper == nullptr) {
    lines.Truncated("CSW", bytes, sizeof(*wrapper));
    return;
  }
  constexpr const char* kStatuses[] = {"passed", "failed", "phase error"};
  lines.Add("CSW tag %x, residue %u, %s", unsigned{wrapper->tag}, unsigned{wrapper->residue},
            wrapper->status < 3 ? kStatuses[wrapper->status] : "odd: status");
  if (wrapper->status >= 3) lines.More(" %02x", wrapper->status);
  if (wrapper->signature != bot::kStatusSignature) {
    lines.More(", odd: signature %08x", unsigned{wrapper->signature});
  }
  lines.Leftover(Drop(bytes, sizeof(*wrapper)));
}

void AddSense(Lines& lines, Bytes bytes) {
  const unsigned code = bytes.empty() ? 0 : bytes[0] & scsi::kResponseCodeMask;
  switch (code) {
    case scsi::kFixedCurrent: AddFixedSense(lines, bytes, "current"); return;
    case scsi::kFixedDeferred: AddFixedSense(lines, bytes, "deferred"); return;
    case scsi::kDescriptorCurrent: AddDescriptorSense(lines, bytes, "current"); return;
    case scsi::kDescriptorDeferred: AddDescriptorSense(lines, bytes, "deferred"); return;
  }
  if (bytes.empty()) {
    lines.Add("no sense data");
    return;
  }
  lines.Add("odd: sense of response code %02x", code);
  lines.Hex(bytes);
}

}  // namespace usbtwin::wire::dump
