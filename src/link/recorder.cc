#include "link/recorder.h"

#include <algorithm>
#include <cstdio>

#include "wire/pcap.h"
#include "wire/usb.h"

namespace usbtwin::link {

namespace usbmon = wire::usbmon;
using usb::TransferType;
using wire::AsBytes;

namespace {

constexpr int64_t kNanosecondsInSecond = 1'000'000'000;
constexpr size_t kPacketsMax = 1024;  // isochronous descriptors in one record; Linux has 128
constexpr std::string_view kNotOnTheBus = "not on the bus: read before the recording began";

// A word beside a transfer holds its id and its type, which must be the same in both records.
constexpr uint64_t WordOf(uint64_t id, TransferType type) {
  return id << 2 | static_cast<uint64_t>(type);
}

usbmon::TransferType UsbmonType(TransferType type) {
  switch (type) {
    case TransferType::kControl: return usbmon::TransferType::kControl;
    case TransferType::kIsochronous: return usbmon::TransferType::kIsochronous;
    case TransferType::kBulk: return usbmon::TransferType::kBulk;
    case TransferType::kInterrupt: return usbmon::TransferType::kInterrupt;
  }
  return usbmon::TransferType::kBulk;
}

uint32_t UsbmonStatus(usb::Outcome outcome) {
  int32_t status = usbmon::kStatusProtocol;
  switch (outcome) {
    case usb::Outcome::kPending: status = usbmon::kStatusInProgress; break;
    case usb::Outcome::kOk: status = usbmon::kStatusOk; break;
    case usb::Outcome::kStall: status = usbmon::kStatusStall; break;
    case usb::Outcome::kCancelled: status = usbmon::kStatusReset; break;
    case usb::Outcome::kTimedOut: status = usbmon::kStatusTimedOut; break;
    case usb::Outcome::kOverflow: status = usbmon::kStatusOverflow; break;
    case usb::Outcome::kDisconnected: status = usbmon::kStatusShutdown; break;
    case usb::Outcome::kBusy: status = usbmon::kStatusBusy; break;
    case usb::Outcome::kDenied: status = usbmon::kStatusDenied; break;
    case usb::Outcome::kNotFound: status = usbmon::kStatusUnlinked; break;
    case usb::Outcome::kUnsupported: status = usbmon::kStatusUnsupported; break;
    case usb::Outcome::kFault: break;
  }
  return static_cast<uint32_t>(status);
}

uint32_t LengthAsked(const usb::Transfer& transfer) {
  return transfer.is_in() ? transfer.in_length_max : static_cast<uint32_t>(transfer.out.size());
}

// Linux counts a control transfer without data as OUT, whatever its setup packet says.
bool CountsAsIn(const usb::Transfer& transfer) {
  return transfer.is_in() && !(transfer.setup && transfer.setup->length == 0);
}

// How far the data of an isochronous IN transfer reaches into its buffer: packets keep their place.
size_t IsoExtent(const usb::Transfer& transfer) {
  uint64_t extent = 0;
  for (const usb::IsoPacket& packet : transfer.packets) {
    if (packet.length_actual == 0) continue;
    extent = std::max(extent, uint64_t{packet.offset} + packet.length_actual);
  }
  return static_cast<size_t>(std::min<uint64_t>(extent, transfer.in.size()));
}

// How much IN data a completed transfer has to show.
size_t LengthToShow(const usb::Transfer& transfer) {
  if (!transfer.packets.empty()) return IsoExtent(transfer);
  if (!transfer.lease.empty()) return transfer.lease.length();
  return std::min<size_t>(transfer.length_actual, transfer.in.size());
}

}  // namespace

Recorder::Recorder(const Clock& clock, usb::Link& inner, PcapWriter& writer,
                   RecorderOptions options)
    : clock_(clock),
      inner_(inner),
      writer_(writer),
      options_(options),
      speed_(inner.caps().speed) {}

Recorder::~Recorder() {
  CHECK_EQ(in_flight_count_, 0u);
}

void Recorder::Submit(usb::Transfer& transfer) {
  const TransferType type = TypeOf(transfer);
  const uint64_t id = ++id_;
  transfer.Push(*this, WordOf(id, type));
  ++in_flight_count_;
  if (!writer_.failed()) RecordSubmit(transfer, id, type);
  inner_.Submit(transfer);
}

void Recorder::Cancel(usb::Transfer& transfer) {
  inner_.Cancel(transfer);  // asking is not on the bus; the completion will say
}

void Recorder::OnDone(usb::Transfer& transfer, uint64_t word) {
  --in_flight_count_;
  endpoints_.Observe(transfer);
  if (!writer_.failed()) {
    RecordComplete(transfer, word >> 2, static_cast<TransferType>(word & 3));
  }
  transfer.Complete();
}

void Recorder::Request(usb::PortOp& op) {
  const auto setup = usb::AsSetupPacket(op.request);
  if (!setup) {
    inner_.Request(op);
    return;
  }
  const uint64_t id = ++id_;
  op.Push(*this, id);
  ++in_flight_count_;
  if (!writer_.failed()) RecordControl(id, *setup, usb::Outcome::kPending, {}, {});
  inner_.Request(op);
}

void Recorder::OnDone(usb::PortOp& op, uint64_t word) {
  --in_flight_count_;
  if (const auto* set = std::get_if<usb::SetConfiguration>(&op.request);
      set != nullptr && op.outcome == usb::Outcome::kOk) {
    endpoints_.HandleConfigured(set->value);
  }
  if (const auto setup = usb::AsSetupPacket(op.request); setup && !writer_.failed()) {
    RecordControl(word, *setup, op.outcome, {}, {});
  }
  op.Complete();
}

void Recorder::RecordDescriptors(Bytes device, Bytes configuration) {
  endpoints_.Learn(configuration);
  if (writer_.failed()) return;
  using wire::usb::DescriptorType;
  const auto record = [&](DescriptorType type, Bytes descriptor) {
    const auto length = static_cast<uint16_t>(std::min<size_t>(descriptor.size(), UINT16_MAX));
    const usb::SetupPacket setup{
        .request_type = wire::usb::kDirectionIn,
        .request = static_cast<uint8_t>(wire::usb::Request::kGetDescriptor),
        .value = static_cast<uint16_t>(static_cast<unsigned>(type) << 8),
        .index = uint16_t{0},
        .length = length};
    const uint64_t id = ++id_;
    RecordControl(id, setup, usb::Outcome::kPending, {}, kNotOnTheBus);
    RecordControl(id, setup, usb::Outcome::kOk, Take(descriptor, length), kNotOnTheBus);
  };
  record(DescriptorType::kDevice, device);
  record(DescriptorType::kConfiguration, configuration);
}

TransferType Recorder::TypeOf(const usb::Transfer& transfer) const {
  if (transfer.setup) return TransferType::kControl;
  if (!transfer.packets.empty()) return TransferType::kIsochronous;
  const EndpointMap::Entry& entry = endpoints_.Find(transfer.endpoint);
  return entry.type == TransferType::kInterrupt ? TransferType::kInterrupt : TransferType::kBulk;
}

Duration Recorder::Now() const {
  return Duration(clock_.Now().ns) + options_.epoch_offset;
}

usbmon::Record Recorder::Head(usbmon::Event event, uint64_t id, TransferType type,
                              usb::EndpointAddress endpoint, bool is_in) const {
  const int64_t ns = std::max<int64_t>(Now().count(), 0);
  usbmon::Record record{};
  record.id = id;
  record.event = static_cast<uint8_t>(event);
  record.transfer_type = static_cast<uint8_t>(UsbmonType(type));
  record.endpoint =
      static_cast<uint8_t>(endpoint.number() | (is_in ? usbmon::kDirectionIn : uint8_t{0}));
  record.device = options_.device;
  record.bus = options_.bus;
  record.setup_flag = usbmon::kSetupAbsent;
  record.data_flag = usbmon::kDataPresent;
  record.seconds = static_cast<uint64_t>(ns / kNanosecondsInSecond);
  record.microseconds = static_cast<uint32_t>(ns % kNanosecondsInSecond / 1000);
  record.transfer_flags = is_in ? usbmon::kFlagDirectionIn : 0u;
  return record;
}

void Recorder::FillTransfer(usbmon::Record& record, const usb::Transfer& transfer) const {
  uint32_t flags = record.transfer_flags;
  if (transfer.flags.short_not_ok) flags |= usbmon::kFlagShortNotOk;
  if (transfer.flags.zero_packet) flags |= usbmon::kFlagZeroPacket;
  if (transfer.flags.iso_asap) flags |= usbmon::kFlagIsoAsap;
  record.transfer_flags = flags;
  const bool periodic =
      record.transfer_type == static_cast<uint8_t>(usbmon::TransferType::kInterrupt) ||
      record.transfer_type == static_cast<uint8_t>(usbmon::TransferType::kIsochronous);
  if (const auto& entry = endpoints_.Find(transfer.endpoint); periodic && entry.known) {
    record.interval = UrbInterval(entry, speed_);
  }
  if (transfer.packets.empty()) return;
  record.start_frame = transfer.start_frame;
  const usbmon::IsoCounts counts{.errors = transfer.error_count,
                                 .packets = static_cast<uint32_t>(transfer.packets.size())};
  CopyBytes(record.setup, AsBytes(counts));
}

void Recorder::Begin(usbmon::Record& record, size_t packets_count, size_t data_length,
                     std::string_view comment) {
  const size_t captured = packets_count * sizeof(usbmon::IsoDescriptor) + data_length;
  record.packets_count = static_cast<uint32_t>(packets_count);
  record.length_captured = static_cast<uint32_t>(captured);
  writer_.Begin(Now(), static_cast<uint32_t>(sizeof(record) + captured), comment);
  writer_.Append(AsBytes(record));
}

namespace {

constexpr size_t DataLengthMax(size_t packets_count) {
  return wire::pcap::kPacketLengthMax - sizeof(usbmon::Record) -
         packets_count * sizeof(usbmon::IsoDescriptor);
}

// "stream 3" in the caller's buffer; empty where there are no streams.
std::string_view StreamComment(const usb::Transfer& transfer, std::array<char, 16>& buffer) {
  if (transfer.stream_id == 0) return {};
  const int length =
      std::snprintf(buffer.data(), buffer.size(), "stream %u", unsigned{transfer.stream_id});
  return {buffer.data(), static_cast<size_t>(length)};
}

}  // namespace

void Recorder::RecordSubmit(const usb::Transfer& transfer, uint64_t id, TransferType type) {
  const bool is_in = CountsAsIn(transfer);
  usbmon::Record record = Head(usbmon::Event::kSubmit, id, type, transfer.endpoint, is_in);
  record.status = UsbmonStatus(usb::Outcome::kPending);
  record.length = LengthAsked(transfer);
  FillTransfer(record, transfer);
  if (transfer.setup) {
    record.setup_flag = usbmon::kSetupPresent;
    CopyBytes(record.setup, AsBytes(*transfer.setup));
  }
  if (is_in) record.data_flag = usbmon::kDataNotYetIn;
  const size_t packets_count = std::min(transfer.packets.size(), kPacketsMax);
  const Bytes data = is_in ? Bytes() : Take(transfer.out, DataLengthMax(packets_count));
  std::array<char, 16> buffer;
  Begin(record, packets_count, data.size(), StreamComment(transfer, buffer));
  RecordPackets(transfer, packets_count, false);
  writer_.Append(data);
  writer_.End();
}

void Recorder::RecordComplete(const usb::Transfer& transfer, uint64_t id, TransferType type) {
  const bool is_in = CountsAsIn(transfer);
  usbmon::Record record = Head(usbmon::Event::kComplete, id, type, transfer.endpoint, is_in);
  record.status = UsbmonStatus(transfer.outcome);
  record.length = transfer.length_actual;
  FillTransfer(record, transfer);
  if (!is_in) record.data_flag = usbmon::kDataWasOut;
  const size_t packets_count = std::min(transfer.packets.size(), kPacketsMax);
  size_t left = is_in ? std::min(LengthToShow(transfer), DataLengthMax(packets_count)) : 0;
  std::array<char, 16> buffer;
  Begin(record, packets_count, left, StreamComment(transfer, buffer));
  RecordPackets(transfer, packets_count, true);
  if (!transfer.lease.empty()) {
    transfer.lease.ForEach([&](Bytes piece) {
      piece = Take(piece, left);
      left -= piece.size();
      writer_.Append(piece);
    });
  } else {
    writer_.Append(Take(Bytes(transfer.in), left));
  }
  writer_.End();
}

void Recorder::RecordPackets(const usb::Transfer& transfer, size_t count, bool done) {
  for (const usb::IsoPacket& packet : transfer.packets.first(count)) {
    // Linux marks a packet that was never moved with EXDEV.
    const bool moved = done && packet.outcome != usb::Outcome::kPending;
    const usbmon::IsoDescriptor descriptor{
        .status =
            moved ? UsbmonStatus(packet.outcome) : static_cast<uint32_t>(usbmon::kStatusTransfer),
        .offset = packet.offset,
        .length = done ? packet.length_actual : packet.length};
    writer_.Append(AsBytes(descriptor));
  }
}

void Recorder::RecordControl(uint64_t id, const usb::SetupPacket& setup, usb::Outcome outcome,
                             Bytes in, std::string_view comment) {
  const bool done = outcome != usb::Outcome::kPending;
  const bool is_in = (setup.request_type & wire::usb::kDirectionIn) != 0 && setup.length != 0;
  usbmon::Record record = Head(done ? usbmon::Event::kComplete : usbmon::Event::kSubmit, id,
                               TransferType::kControl, {}, is_in);
  record.status = UsbmonStatus(outcome);
  record.length = done ? static_cast<uint32_t>(in.size()) : uint32_t{setup.length};
  if (!done) {
    record.setup_flag = usbmon::kSetupPresent;
    CopyBytes(record.setup, AsBytes(setup));
    if (is_in) record.data_flag = usbmon::kDataNotYetIn;
  } else if (!is_in) {
    record.data_flag = usbmon::kDataWasOut;
  }
  Begin(record, 0, in.size(), comment);
  writer_.Append(in);
  writer_.End();
}

}  // namespace usbtwin::link
