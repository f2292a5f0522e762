#include "emulator/iso_loopback.h"

#include <algorithm>

#include "wire/usb.h"

namespace usbtwin::emulator {

using usb::Outcome;
using wire::iso_loopback::Counters;
using wire::iso_loopback::PacketHeader;

namespace {

constexpr uint8_t kIntervalsPerFrame = 3;  // as an exponent: 2^3 microframes are a frame

// Counters wrap; adding to an Endian field needs its value.
void Add(wire::Le32& counter, uint32_t count = 1) {
  counter = counter + count;
}

wire::usb::InterfaceDescriptor DescribeSetting(const IsoLoopbackOptions& options, uint8_t setting) {
  return {.length = sizeof(wire::usb::InterfaceDescriptor),
          .type = static_cast<uint8_t>(wire::usb::DescriptorType::kInterface),
          .number = 0,
          .alternate_setting = setting,
          .endpoints_count = static_cast<uint8_t>(setting == 0 ? 0 : 2),
          .interface_class = 0xff,
          .interface_subclass = 0,
          .interface_protocol = 0,
          .string_index = static_cast<uint8_t>(options.name.empty() ? 0 : 1)};
}

// USB 2.0, 9.6.6. At full speed bInterval counts frames.
wire::usb::EndpointDescriptor DescribeEndpoint(usb::Speed speed, const IsoLoopbackOptions& options,
                                               usb::EndpointAddress address) {
  uint16_t packet_size = options.packet_size;
  uint8_t interval = options.interval;
  if (speed == usb::Speed::kFull) {
    packet_size = std::min(packet_size, kIsoPacketSizeMaxFullSpeed);
    interval = static_cast<uint8_t>(std::max(1, interval - kIntervalsPerFrame));
  } else if (speed == usb::Speed::kHigh) {
    packet_size = static_cast<uint16_t>(packet_size | (options.transactions - 1) << 11);
  } else if (options.transactions > 1) {
    packet_size = kIsoPacketSizeMax;  // what bursts are made of. USB 3.2, 9.6.6
  }
  return {.length = sizeof(wire::usb::EndpointDescriptor),
          .type = static_cast<uint8_t>(wire::usb::DescriptorType::kEndpoint),
          .address = address.value,
          .attributes = static_cast<uint8_t>(usb::TransferType::kIsochronous),
          .packet_size_max = packet_size,
          .interval = interval};
}

// USB 3.2, 9.6.7.
wire::usb::SuperSpeedCompanionDescriptor DescribeCompanion(const IsoLoopbackOptions& options) {
  return {.length = sizeof(wire::usb::SuperSpeedCompanionDescriptor),
          .type = static_cast<uint8_t>(wire::usb::DescriptorType::kSuperSpeedCompanion),
          .burst_max = static_cast<uint8_t>(options.transactions - 1),
          .attributes = 0,
          .bytes_per_interval = static_cast<uint16_t>(options.packet_size * options.transactions)};
}

std::vector<uint8_t> Describe(usb::Speed speed, const IsoLoopbackOptions& options) {
  std::vector<uint8_t> bytes;
  auto append = [&bytes](Bytes part) { bytes.insert(bytes.end(), part.begin(), part.end()); };
  append(wire::AsBytes(DescribeSetting(options, 0)));
  append(wire::AsBytes(DescribeSetting(options, 1)));
  for (const usb::EndpointAddress address :
       {usb::EndpointAddress::In(1), usb::EndpointAddress::Out(1)}) {
    append(wire::AsBytes(DescribeEndpoint(speed, options, address)));
    if (speed >= usb::Speed::kSuper) append(wire::AsBytes(DescribeCompanion(options)));
  }
  return bytes;
}

}  // namespace

IsoLoopback::IsoLoopback(Clock& clock, IsoLoopbackOptions options)
    : clock_(clock), options_(std::move(options)) {
  CHECK_LE(1, options_.transactions);
  CHECK_LE(options_.transactions, kIsoTransactionsMax);
  CHECK_LE(IsoPacketSizeMin(options_.transactions), options_.packet_size);
  CHECK_LE(options_.packet_size, kIsoPacketSizeMax);
  CHECK_LE(1, options_.interval);
  CHECK_LE(options_.interval, 16);
  if (!options_.name.empty()) strings_.push_back(options_.name);
  descriptors_ = {Describe(usb::Speed::kFull, options_), Describe(usb::Speed::kHigh, options_),
                  Describe(usb::Speed::kSuper, options_)};
  for (InSlot& slot : in_slots_) slot.request.sink = this;
  for (OutSlot& slot : out_slots_) slot.request.sink = this;
}

IsoLoopback::~IsoLoopback() {
  CHECK(idle());
}

bool IsoLoopback::idle() const {
  const auto queued = [](const auto& slot) { return slot.request.queued; };
  return std::none_of(in_slots_.begin(), in_slots_.end(), queued) &&
         std::none_of(out_slots_.begin(), out_slots_.end(), queued);
}

Bytes IsoLoopback::descriptors(usb::Speed speed) const {
  switch (speed) {
    case usb::Speed::kLow: return {};  // there are no isochronous endpoints. USB 2.0, 5.6.3
    case usb::Speed::kFull: return descriptors_[0];
    case usb::Speed::kHigh: return descriptors_[1];
    case usb::Speed::kSuper:
    case usb::Speed::kSuperPlus: return descriptors_[2];
  }
  return {};
}

void IsoLoopback::HandleBind(Controller& controller) {
  controller_ = &controller;
}

ControlReply IsoLoopback::HandleControl(const ControlRequest& request) {
  const usb::SetupPacket& setup = request.setup;
  constexpr uint8_t kVendorInterface = wire::usb::kTypeVendor | wire::usb::kRecipientInterface;
  if (setup.value != 0) return ControlReply::Stall();
  if (setup.request_type == (kVendorInterface | wire::usb::kDirectionIn) &&
      setup.request == wire::iso_loopback::kRequestGetCounters) {
    return ControlReply::Data(wire::AsBytes(counters_));
  }
  if (setup.request_type == kVendorInterface &&
      setup.request == wire::iso_loopback::kRequestResetCounters && setup.length == 0) {
    counters_ = Counters{};
    return ControlReply::Ack();
  }
  return ControlReply::Stall();
}

void IsoLoopback::HandleEvent(const BusEvent& event) {
  if (const auto* on = std::get_if<InterfaceEnabled>(&event)) {
    if (on->alternate_setting == 1) Start(*on);
  } else if (std::holds_alternative<InterfaceDisabled>(event)) {
    live_ = false;
    echoes_count_ = 0;
  }
}

void IsoLoopback::Start(const InterfaceEnabled& event) {
  CHECK_EQ(event.endpoints.size(), 2u);
  live_ = true;
  ++life_;
  for (const usb::EndpointConfig& endpoint : event.endpoints) {
    (endpoint.address.is_in() ? in_address_ : out_address_) = endpoint.address;
    length_max_ = usb::IntervalLengthMax(endpoint);
  }
  sequence_ = 0;
  sequence_expected_.reset();
  echo_first_ = echoes_count_ = 0;
  echoes_.resize(kEchoesMax);
  // Those that are still coming back from the last time are queued when they have.
  for (InSlot& slot : in_slots_) {
    if (!slot.request.queued) Queue(slot);
  }
  for (OutSlot& slot : out_slots_) {
    if (!slot.request.queued) Queue(slot);
  }
}

// ---- IN ---------------------------------------------------------------------------------------

void IsoLoopback::Queue(InSlot& slot) {
  if (slot.bytes.size() != length_max_) {
    slot.pin.reset();
    slot.bytes.resize(length_max_);
    slot.pin.emplace(slot.bytes);
  }
  CHECK_EQ(slot.pin->leases(), 0u);
  uint32_t length = TakeEcho(slot.bytes);
  slot.echo = length != 0;
  if (!slot.echo) {
    MakePacket(slot.bytes);
    length = length_max_;
  }
  slot.life = life_;
  slot.request.endpoint = in_address_;
  slot.request.data = slot.pin->Lend(length);
  controller_->Queue(slot.request);
}

// How long it is; 0 where none waits.
uint32_t IsoLoopback::TakeEcho(MutableBytes target) {
  if (echoes_count_ == 0) return 0;
  const Echo& echo = echoes_[echo_first_];
  CopyBytes(target, Take(Bytes(echo.bytes), echo.length));
  echo_first_ = (echo_first_ + 1) % kEchoesMax;
  --echoes_count_;
  return echo.length;
}

void IsoLoopback::MakePacket(MutableBytes target) {
  const auto frame = static_cast<uint32_t>(clock_.Now().ns / 1'000'000);
  const uint32_t sequence = sequence_++;
  for (size_t index = sizeof(PacketHeader); index < target.size(); ++index) {
    target[index] = static_cast<uint8_t>(sequence + index);
  }
  wire::Emit(target,
             PacketHeader{
                 .magic = wire::iso_loopback::kDeviceMagic, .sequence = sequence, .frame = frame});
}

void IsoLoopback::OnRequestDone(usb::InRequest& request) {
  auto& slot = *std::find_if(in_slots_.begin(), in_slots_.end(),
                             [&](const InSlot& one) { return &one.request == &request; });
  if (request.outcome == Outcome::kOk) Add(slot.echo ? counters_.in_echoes : counters_.in_made);
  if (request.outcome == Outcome::kOverflow) Add(counters_.in_overflows);
  const bool moved = request.outcome == Outcome::kOk || request.outcome == Outcome::kOverflow;
  // What was cancelled in this life would be cancelled again.
  if (live_ && (moved || slot.life != life_)) Queue(slot);
}

// ---- OUT --------------------------------------------------------------------------------------

void IsoLoopback::Queue(OutSlot& slot) {
  slot.bytes.resize(length_max_);
  slot.life = life_;
  slot.request.endpoint = out_address_;
  slot.request.room = slot.bytes;
  slot.request.length_max = length_max_;
  controller_->Queue(slot.request);
}

void IsoLoopback::OnRequestDone(usb::OutRequest& request) {
  auto& slot = *std::find_if(out_slots_.begin(), out_slots_.end(),
                             [&](const OutSlot& one) { return &one.request == &request; });
  const bool moved = request.outcome == Outcome::kOk || request.outcome == Outcome::kOverflow;
  if (request.outcome == Outcome::kOverflow) Add(counters_.out_overflows);
  if (moved && live_ && slot.life == life_) {
    HandlePacket(Take(Bytes(slot.bytes), request.length_actual));
  }
  if (live_ && (moved || slot.life != life_)) Queue(slot);
}

void IsoLoopback::HandlePacket(Bytes packet) {
  Add(counters_.out_packets);
  const auto* header = wire::View<PacketHeader>(packet);
  if (header != nullptr && header->magic == wire::iso_loopback::kHostMagic) {
    Count(header->sequence);
  }
  if (packet.empty()) return;
  if (echoes_count_ == kEchoesMax) return Add(counters_.echoes_dropped);
  Echo& echo = echoes_[(echo_first_ + echoes_count_++) % kEchoesMax];
  if (echo.bytes.size() < packet.size()) echo.bytes.resize(length_max_);
  echo.length = static_cast<uint32_t>(CopyBytes(echo.bytes, packet));
}

// The first number may be any; numbers wrap.
void IsoLoopback::Count(uint32_t sequence) {
  const uint32_t ahead = sequence - sequence_expected_.value_or(sequence);
  if (ahead > INT32_MAX) return Add(counters_.out_late);
  Add(counters_.out_lost, ahead);
  sequence_expected_ = sequence + 1;
}

}  // namespace usbtwin::emulator
