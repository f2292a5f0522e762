// What one transfer may ask and answer, whatever else is in flight.
#include <algorithm>

#include "link/auditor.h"

namespace usbtwin::link {

using usb::Outcome;
using usb::Transfer;

namespace {

unsigned LengthAsked(const Transfer& transfer) {
  return transfer.is_in() ? transfer.in_length_max : static_cast<unsigned>(transfer.out.size());
}

}  // namespace

void Auditor::CheckRequest(const Transfer& transfer) const {
  constexpr uint8_t kReservedBits = 0x70;  // bEndpointAddress: USB 2.0, table 9-13
  if (transfer.outcome != Outcome::kPending) {
    Report(Rule::kRequestMakesSense, transfer, "submitted with the outcome %s of an earlier flight",
           usb::Name(transfer.outcome));
  }
  if (transfer.length_actual != 0 || transfer.error_count != 0 || !transfer.lease.empty()) {
    Report(Rule::kRequestMakesSense, transfer,
           "submitted with %u bytes, %u errors and a lease of %u bytes of an earlier flight",
           transfer.length_actual, transfer.error_count, transfer.lease.length());
  }
  if (transfer.depth() == 0) Report(Rule::kRequestMakesSense, transfer, "submitted without a sink");
  if ((transfer.endpoint.value & kReservedBits) != 0) {
    Report(Rule::kRequestMakesSense, transfer, "the address has reserved bits");
  }
  if (transfer.stream_id > caps_.streams_max) {
    Report(Rule::kRequestMakesSense, transfer, "the link has %u streams",
           unsigned{caps_.streams_max});
  }
  if (transfer.stream_id != 0 && (transfer.setup || !transfer.packets.empty())) {
    Report(Rule::kRequestMakesSense, transfer, "only bulk endpoints have streams");
  }
  CheckControl(transfer);
  CheckData(transfer);
  CheckPackets(transfer);
}

void Auditor::CheckControl(const Transfer& transfer) const {
  if (!transfer.setup) {
    if (transfer.endpoint.number() == 0) {
      Report(Rule::kRequestMakesSense, transfer, "a control transfer without a setup packet");
    }
    return;
  }
  if (transfer.endpoint.value != 0) {
    Report(Rule::kRequestMakesSense, transfer, "a setup packet for another endpoint than 0");
  }
  const unsigned length = transfer.setup->length;
  if (LengthAsked(transfer) != length) {
    Report(Rule::kRequestMakesSense, transfer, "wLength %u with %u bytes of data", length,
           LengthAsked(transfer));
  }
  if (const auto request = usb::AsPortRequest(*transfer.setup)) {
    Report(Rule::kNotAsControl, transfer, "%s is a port request", usb::Name(*request));
  }
}

void Auditor::CheckData(const Transfer& transfer) const {
  const EndpointMap::Entry& entry = endpoints_.Find(transfer.endpoint);
  const bool bulk = !transfer.setup && transfer.packets.empty() &&
                    (!entry.known || entry.type == usb::TransferType::kBulk);
  if (bulk && LengthAsked(transfer) > caps_.transfer_length_max) {
    Report(Rule::kRequestMakesSense, transfer, "%u bytes, the link takes %u", LengthAsked(transfer),
           caps_.transfer_length_max);
  }
  if (!transfer.is_in()) {
    if (!transfer.in.empty() || transfer.in_length_max != 0) {
      Report(Rule::kRequestMakesSense, transfer, "an OUT transfer with room for %u bytes in",
             std::max(transfer.in_length_max, static_cast<uint32_t>(transfer.in.size())));
    }
    return;
  }
  if (!transfer.out.empty()) {
    Report(Rule::kRequestMakesSense, transfer, "an IN transfer with %zu bytes out",
           transfer.out.size());
  }
  if (!transfer.in.empty() && transfer.in.size() != transfer.in_length_max) {
    Report(Rule::kRequestMakesSense, transfer, "asks for %u bytes with room for %zu",
           transfer.in_length_max, transfer.in.size());
  }
  if (transfer.in.empty() && transfer.in_length_max != 0 && (!bulk || !caps_.lends_data)) {
    Report(Rule::kRequestMakesSense, transfer, "asks for a loan of %u bytes where none is given",
           transfer.in_length_max);
  }
}

void Auditor::CheckPackets(const Transfer& transfer) const {
  if (transfer.packets.empty()) return;
  if (transfer.setup) {
    Report(Rule::kRequestMakesSense, transfer, "a control transfer with isochronous packets");
  }
  const uint64_t room = transfer.is_in() ? transfer.in.size() : transfer.out.size();
  for (size_t index = 0; index < transfer.packets.size(); ++index) {
    const usb::IsoPacket& packet = transfer.packets[index];
    if (uint64_t{packet.offset} + packet.length <= room) continue;
    Report(Rule::kRequestMakesSense, transfer, "packet %zu: %u bytes at offset %u of %zu", index,
           packet.length, packet.offset, static_cast<size_t>(room));
  }
}

void Auditor::CheckResult(const Transfer& transfer) const {
  const unsigned asked = LengthAsked(transfer);
  const unsigned actual = transfer.length_actual;
  const bool ok = transfer.outcome == Outcome::kOk;
  const bool isochronous = !transfer.packets.empty();
  if (transfer.outcome == Outcome::kPending) {
    Report(Rule::kResultMakesSense, transfer, "completes without an outcome");
  }
  if (usb::IsRefusal(transfer.outcome)) {
    Report(Rule::kResultMakesSense, transfer, "%s is no way for a transfer to end",
           usb::Name(transfer.outcome));
  }
  if (actual > asked) {
    Report(Rule::kResultMakesSense, transfer, "%u bytes moved, %u were asked for", actual, asked);
  }
  if (ok && !isochronous && !transfer.is_in() && actual < asked) {
    Report(Rule::kResultMakesSense, transfer, "ok after %u of %u bytes out", actual, asked);
  }
  if (ok && !isochronous && transfer.is_in() && actual < asked && transfer.flags.short_not_ok) {
    Report(Rule::kResultMakesSense, transfer, "ok after %u of %u bytes, where short is not ok",
           actual, asked);
  }
  if (transfer.is_in() && transfer.in.empty()) {
    if (transfer.lease.length() != actual) {
      Report(Rule::kResultMakesSense, transfer, "%u bytes moved, %u are lent", actual,
             transfer.lease.length());
    }
  } else if (!transfer.lease.empty()) {
    Report(Rule::kResultMakesSense, transfer, "%u bytes are lent where none were asked for",
           transfer.lease.length());
  }
  if (isochronous) CheckIsoResult(transfer);
}

void Auditor::CheckIsoResult(const Transfer& transfer) const {
  uint32_t errors = 0;
  uint64_t sum = 0;
  for (size_t index = 0; index < transfer.packets.size(); ++index) {
    const usb::IsoPacket& packet = transfer.packets[index];
    if (packet.outcome != Outcome::kOk) ++errors;
    sum += packet.length_actual;
    if (packet.length_actual > packet.length) {
      Report(Rule::kResultMakesSense, transfer, "packet %zu: %u bytes moved, %u were asked for",
             index, packet.length_actual, packet.length);
    }
    if (transfer.outcome == Outcome::kOk && packet.outcome == Outcome::kPending) {
      Report(Rule::kResultMakesSense, transfer, "packet %zu has no outcome", index);
    }
  }
  if (transfer.is_in() && sum != transfer.length_actual) {
    Report(Rule::kResultMakesSense, transfer, "%u bytes moved, its packets have %llu",
           transfer.length_actual, static_cast<unsigned long long>(sum));  // NOLINT
  }
  if (transfer.outcome == Outcome::kOk && transfer.error_count != errors) {
    Report(Rule::kResultMakesSense, transfer, "%u packets failed, error_count is %u", errors,
           transfer.error_count);
  }
}

}  // namespace usbtwin::link
