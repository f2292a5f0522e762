// USB/IP, both ends. The first byte says who reads the rest: the parsers of lists and imports, the
// end that has the device, the end that wants it, or the two talking to each other. Whatever comes:
// what is parsed is within its bounds and the same when built and parsed again, an end that listens
// to nonsense refuses it, a transfer ends once, and it ends as the device's end says.
#include "base/check.h"
#include "input.h"
#include "proto/usbip_ops.h"
#include "proto/usbip_session.h"

namespace {

using namespace usbtwin;         // NOLINT
using namespace usbtwin::usbip;  // NOLINT
using usb::IsoPacket;
using usb::Outcome;
using wire::usbip::kHeaderLength;
using wire::usbip::kPacketsMax;
using Reply = ClientSession::Reply;
using Slot = ClientSession::Slot;

constexpr uint32_t kDeviceId = 0x10002;
constexpr uint8_t kIsoEndpoint = 3;
constexpr uint32_t kIsoPackets = 4;
constexpr uint32_t kIsoPacketLength = 16;
constexpr uint32_t kIsoLength = kIsoPackets * kIsoPacketLength;

void CheckRefusal(const Error& error) {
  CHECK(error.kind != ErrorKind::kInvalid);
  CHECK(!error.Describe().empty());
}

// --- lists and imports ---

void TryDevice(Bytes bytes) {
  const Result<Device> device = ParseDevice(bytes);
  if (!device) return CheckRefusal(device.error());
  CHECK(IsBusId(device->bus_id));
  CHECK_LT(device->path.size(), wire::usbip::kPathLength);
  const std::vector<uint8_t> again = MakeImportReply(*device);
  CHECK(ParseImportHeader(Take(Bytes(again), sizeof(wire::usbip::OpHeader))).has_value());
  const Result<Device> parsed = ParseDevice(Drop(Bytes(again), sizeof(wire::usbip::OpHeader)));
  CHECK(parsed.has_value());
  CHECK(*parsed == *device);
}

// What the host learns of a transfer that is answered: what nobody unlinked was shut down.
Outcome ToldOutcome(const usb::Transfer& transfer) {
  return transfer.outcome == Outcome::kCancelled ? Outcome::kDisconnected : transfer.outcome;
}

void TryOps(Bytes bytes) {
  constexpr size_t kHeader = sizeof(wire::usbip::OpHeader);
  constexpr size_t kRecord = sizeof(wire::usbip::DeviceRecord);
  if (bytes.size() < sizeof(wire::usbip::DevicesReply)) {
    if (bytes.size() >= kHeader) static_cast<void>(ParseRequest(bytes.first(kHeader)));
    return;
  }
  const Result<Op> request = ParseRequest(bytes.first(kHeader));
  if (request && *request == Op::kImport && bytes.size() >= sizeof(wire::usbip::ImportRequest)) {
    const Result<std::string> id = ParseBusId(bytes.subspan(kHeader, wire::usbip::kBusIdLength));
    if (id && IsBusId(*id)) {
      const wire::usbip::ImportRequest again = MakeImportRequest(*id);
      CHECK(ParseBusId(again.bus_id).value() == *id);
    }
  }
  const Result<void> import = ParseImportHeader(bytes);
  if (import && bytes.size() >= kHeader + kRecord) TryDevice(Drop(bytes, kHeader));
  const Result<uint32_t> count = ParseDevicesHeader(bytes);
  if (!count) return CheckRefusal(count.error());
  CHECK_LE(*count, kDevicesMax);
  bytes = Drop(bytes, sizeof(wire::usbip::DevicesReply));
  for (uint32_t index = 0; index < *count && bytes.size() >= kRecord; ++index) {
    TryDevice(bytes);
    const uint8_t interfaces = wire::View<wire::usbip::DeviceRecord>(bytes)->interfaces_count;
    bytes = Drop(bytes, kRecord + interfaces * sizeof(wire::usbip::InterfaceRecord));
  }
}

// --- a stream, in pieces ---

// Reads the parts behind a header; false where the bytes end before. Pieces are of many lengths, so
// that each part is cut everywhere.
bool ReadParts(Framing& framing, Bytes& bytes, std::vector<uint8_t>& data,
               std::vector<uint8_t>& packets) {
  while (framing.part() != Framing::Part::kHeader) {
    const size_t piece = std::min<size_t>({framing.left(), bytes.size(), bytes.size() % 61 + 1});
    if (piece == 0) return false;
    std::vector<uint8_t>& part = framing.part() == Framing::Part::kData ? data : packets;
    part.insert(part.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(piece));
    framing.HandleMoved(static_cast<uint32_t>(piece));
    bytes = Drop(bytes, piece);
  }
  return true;
}

// --- the end that has the device ---

void CheckPackets(const Submit& submit, Bytes raw) {
  static std::array<IsoPacket, kPacketsMax> room;  // clearing it each time would take the longest
  const std::span<IsoPacket> packets = std::span(room).first(submit.packets_count);
  const Result<void> parsed = ParsePackets(raw, submit.length, packets);
  if (!parsed) return CheckRefusal(parsed.error());
  for (const IsoPacket& packet : packets) {
    CHECK_LE(uint64_t{packet.offset} + packet.length, uint64_t{submit.length});
    CHECK_EQ(packet.length_actual, 0u);
  }
}

void TryCommands(Bytes bytes) {
  Framing framing;
  while (bytes.size() >= kHeaderLength) {
    const Result<Command> command = ParseCommand(bytes.first(kHeaderLength), kDeviceId);
    if (!command) return CheckRefusal(command.error());
    bytes = Drop(bytes, kHeaderLength);
    if (const auto* unlink = std::get_if<Unlink>(&*command)) {
      CHECK_EQ(MakeUnlinkReply(unlink->sequence, 0).basic.sequence, unlink->sequence);
      continue;
    }
    const auto& submit = std::get<Submit>(*command);
    CHECK_LE(submit.length, kLengthMax);
    const uint8_t number = submit.endpoint.number();
    CHECK(number == 0 || submit.endpoint.is_in() == submit.in);
    if (number == 0 && IsSound(submit)) CHECK_EQ(submit.length, submit.setup.length);
    const bool isochronous = number == kIsoEndpoint;
    if (isochronous && submit.packets_count > kPacketsMax) return;
    const uint32_t data_length = submit.in ? 0 : submit.length;
    framing.HandleHeader(data_length, isochronous ? submit.packets_count : 0);
    std::vector<uint8_t> data;
    std::vector<uint8_t> packets;
    if (!ReadParts(framing, bytes, data, packets)) return;
    CHECK_EQ(data.size(), data_length);
    if (isochronous) CheckPackets(submit, packets);
  }
}

// --- the end that wants it ---

std::array<IsoPacket, kIsoPackets> IsoPackets() {
  std::array<IsoPacket, kIsoPackets> packets;
  for (uint32_t index = 0; index < kIsoPackets; ++index) {
    packets[index] = {.offset = index * kIsoPacketLength, .length = kIsoPacketLength};
  }
  return packets;
}

constexpr ClientSession::Request kIso{.endpoint = usb::EndpointAddress::In(kIsoEndpoint),
                                      .in = true,
                                      .length = kIsoLength,
                                      .packets_count = kIsoPackets};

// Spreads a reply's data; false where its packets are nonsense.
bool TakePackets(const Reply& reply, Bytes data, Bytes raw) {
  std::array<uint8_t, kIsoLength> buffer;
  buffer.fill(0xa5);
  CHECK_EQ(CopyBytes(buffer, data), data.size());
  std::array<IsoPacket, kIsoPackets> packets = IsoPackets();
  const Result<void> parsed = ParseReplyPackets(raw, reply.length_actual, buffer, packets);
  if (!parsed) {
    CheckRefusal(parsed.error());
    return false;
  }
  for (const IsoPacket& packet : packets) {
    CHECK_LE(packet.length_actual, kIsoPacketLength);
    CHECK(packet.outcome != Outcome::kPending);
    CHECK(SameBytes(Bytes(buffer).subspan(packet.offset, packet.length_actual),
                    Take(data, packet.length_actual)));
    data = Drop(data, packet.length_actual);
  }
  CHECK(data.empty());
  return true;
}

// As whoever has nothing left to do for a slot after its last reply.
Result<Reply> Feed(ClientSession& session, Bytes header) {
  const Result<Reply> reply = session.HandleReply(header);
  if (reply && reply->last) session.Free(reply->slot);
  return reply;
}

void TryReplies(Bytes bytes) {
  constexpr uint32_t kLength = 512;
  ClientSession session(kDeviceId);
  std::array<int, 4> ends_count{};
  CHECK(session.Begin({.endpoint = usb::EndpointAddress::In(1), .in = true, .length = kLength}));
  CHECK(session.Begin({.endpoint = usb::EndpointAddress::Out(2), .length = kLength}));
  CHECK(session.Begin(kIso));
  const std::optional<Slot> unlinked =
      session.Begin({.endpoint = usb::EndpointAddress::In(1), .in = true, .length = kLength});
  static_cast<void>(session.MakeUnlink(*unlinked));
  Framing framing;
  while (bytes.size() >= kHeaderLength) {
    const size_t before = session.under_way_count();
    const Result<Reply> reply = Feed(session, bytes.first(kHeaderLength));
    if (!reply) {
      CHECK_EQ(session.under_way_count(), before);
      return CheckRefusal(reply.error());
    }
    bytes = Drop(bytes, kHeaderLength);
    CHECK_LT(reply->slot, ends_count.size());
    ends_count[reply->slot] += reply->ends ? 1 : 0;
    CHECK_LE(ends_count[reply->slot], 1);
    CHECK_LE(reply->length_actual, reply->slot == 2 ? kIsoLength : kLength);
    CHECK_LE(reply->data_length, reply->length_actual);
    CHECK(reply->packets_count == 0 || reply->packets_count == kIsoPackets);
    framing.HandleHeader(reply->data_length, reply->packets_count);
    std::vector<uint8_t> data;
    std::vector<uint8_t> packets;
    if (!ReadParts(framing, bytes, data, packets)) return;
    if (reply->packets_count != 0 && !TakePackets(*reply, data, packets)) return;
  }
}

// --- the two ends ---

class Talk {
 public:
  explicit Talk(Bytes bytes) : input_(bytes), client_(kDeviceId) {}
  void Run();

 private:
  struct Item {
    Slot slot = 0;
    Submit submit;       // as the device's end has understood it
    uint32_t order = 0;  // of being asked
    uint32_t unlink_sequence = 0;
    bool answered = false;
    bool unlinked = false;
  };
  static constexpr size_t kItemsMax = 8;
  static constexpr int kStepsMax = 40;

  void Ask();
  size_t FirstBefore(size_t index) const;
  void Answer(Item& item);
  void Unlink(Item& item);
  void EndUnlink(size_t index);
  void Remove(size_t index) { items_[index] = items_[--items_count_]; }
  void AnswerPackets(const Item& item, usb::Transfer& transfer);

  fuzz::Input input_;
  ClientSession client_;
  std::array<Item, kItemsMax> items_;
  size_t items_count_ = 0;
  uint32_t asked_count_ = 0;
};

void Talk::Ask() {
  const uint8_t choice = input_.Byte();
  const uint8_t length = input_.Byte();
  usb::Transfer transfer;
  transfer.flags = {.zero_packet = (choice & 16) != 0,
                    .short_not_ok = (choice & 32) != 0,
                    .iso_asap = (choice & 64) != 0};
  const bool isochronous = (choice & 8) != 0;
  const bool in = (choice & 2) != 0 || isochronous;
  const auto number = static_cast<uint8_t>(1 + (choice & 1));
  ClientSession::Request request{
      .endpoint = in ? usb::EndpointAddress::In(number) : usb::EndpointAddress::Out(number),
      .in = in,
      .short_not_ok = transfer.flags.short_not_ok,
      .length = length};
  if (isochronous) request = kIso;
  if ((choice & 0x84) == 0x84 && !isochronous) {
    request.endpoint = {};
    transfer.setup = usb::SetupPacket{.request_type = static_cast<uint8_t>(in ? 0xc0 : 0x40),
                                      .request = choice,
                                      .value = uint16_t{choice},
                                      .index = uint16_t{length},
                                      .length = uint16_t{length}};
  }
  const std::optional<Slot> slot = client_.Begin(request);
  CHECK(slot.has_value());
  const wire::usbip::Submit wire = client_.MakeSubmit(*slot, transfer, 1);
  const Result<Command> command = ParseCommand(wire::AsBytes(wire), kDeviceId);
  CHECK(command.has_value());
  const auto& submit = std::get<Submit>(*command);
  CHECK(submit.endpoint == request.endpoint);
  CHECK_EQ(submit.in, in);
  CHECK_EQ(submit.length, request.length);
  CHECK_EQ(submit.packets_count, request.packets_count);
  CHECK(submit.flags == transfer.flags);
  CHECK(submit.endpoint.number() != 0 || IsSound(submit));
  items_[items_count_++] = {.slot = *slot, .submit = submit, .order = ++asked_count_};
}

// The device's end writes packets and their data, the other end reads them.
void Talk::AnswerPackets(const Item& item, usb::Transfer& transfer) {
  std::array<IsoPacket, kIsoPackets> packets = IsoPackets();
  std::array<uint8_t, kIsoLength> data;
  std::array<uint8_t, kIsoPackets * sizeof(wire::usbip::IsoDescriptor)> raw;
  for (IsoPacket& packet : packets) {
    const uint8_t choice = input_.Byte();
    packet.length_actual = choice % (kIsoPacketLength + 1);
    packet.outcome = choice < 0x80 ? Outcome::kOk : Outcome::kFault;
    std::fill_n(data.begin() + transfer.length_actual, packet.length_actual, choice);
    transfer.length_actual += packet.length_actual;
  }
  transfer.packets = packets;
  EmitPackets(packets, raw);
  const wire::usbip::SubmitReply wire = MakeReply(item.submit.sequence, transfer);
  const Result<Reply> reply = Feed(client_, wire::AsBytes(wire));
  CHECK(reply.has_value());
  CHECK(reply->ends);
  CHECK(reply->outcome == ToldOutcome(transfer));
  CHECK_EQ(reply->packets_count, kIsoPackets);
  CHECK_EQ(reply->data_length, transfer.length_actual);
  CHECK(TakePackets(*reply, Take(Bytes(data), transfer.length_actual), raw));
  transfer.packets = {};
}

// The one of its endpoint that must be answered first; itself, where that is long done.
size_t Talk::FirstBefore(size_t index) const {
  if (items_[index].answered) return index;
  for (size_t other = 0; other < items_count_; ++other) {
    const auto mine = items_[index].submit.endpoint;
    const auto theirs = items_[other].submit.endpoint;
    const bool of_same = mine == theirs || (mine.number() == 0 && theirs.number() == 0);
    const bool earlier = items_[other].order < items_[index].order;
    if (of_same && earlier && !items_[other].answered) index = other;
  }
  return index;
}

void Talk::Answer(Item& item) {
  constexpr std::array kOutcomes{Outcome::kOk,       Outcome::kStall,        Outcome::kTimedOut,
                                 Outcome::kOverflow, Outcome::kDisconnected, Outcome::kFault,
                                 Outcome::kCancelled};
  if (item.answered) return;
  item.answered = true;
  const uint8_t how = input_.Byte();
  usb::Transfer transfer;
  transfer.endpoint = item.submit.endpoint;
  transfer.flags = item.submit.flags;
  if (item.submit.endpoint.number() == 0) transfer.setup = item.submit.setup;
  if (item.submit.in) transfer.in_length_max = item.submit.length;
  transfer.outcome = kOutcomes[how % kOutcomes.size()];
  if (item.submit.endpoint.number() == kIsoEndpoint) return AnswerPackets(item, transfer);
  transfer.length_actual = std::min<uint32_t>(item.submit.length, how);
  const bool strict = !item.submit.in || transfer.flags.short_not_ok;
  if (transfer.outcome == Outcome::kOk && strict) transfer.length_actual = item.submit.length;
  const wire::usbip::SubmitReply wire = MakeReply(item.submit.sequence, transfer);
  const Result<Reply> reply = Feed(client_, wire::AsBytes(wire));
  CHECK(reply.has_value());
  CHECK_EQ(reply->slot, item.slot);
  CHECK(reply->ends);
  CHECK(reply->outcome == ToldOutcome(transfer));
  CHECK_EQ(reply->length_actual, transfer.length_actual);
  CHECK_EQ(reply->data_length, item.submit.in ? transfer.length_actual : 0);
  CHECK_EQ(reply->packets_count, 0u);
}

void Talk::Unlink(Item& item) {
  if (item.unlinked || item.answered) return;
  item.unlinked = true;
  const wire::usbip::Unlink wire = client_.MakeUnlink(item.slot);
  const Result<Command> command = ParseCommand(wire::AsBytes(wire), kDeviceId);
  CHECK(command.has_value());
  const auto& unlink = std::get<usbip::Unlink>(*command);
  CHECK_EQ(unlink.victim, item.submit.sequence);
  item.unlink_sequence = unlink.sequence;
}

// The unlink has reached the device's end.
void Talk::EndUnlink(size_t index) {
  Item& item = items_[index];
  const bool answered = item.answered;
  const Ending ending = EndingOf(answered ? Outcome::kOk : Outcome::kCancelled);
  CHECK_EQ(ending.submit_reply, answered);
  const wire::usbip::UnlinkReply wire = MakeUnlinkReply(item.unlink_sequence, ending.unlink_status);
  const Result<Reply> reply = Feed(client_, wire::AsBytes(wire));
  CHECK(reply.has_value());
  CHECK_EQ(reply->slot, item.slot);
  CHECK_EQ(reply->ends, !answered);
  CHECK(reply->outcome == Outcome::kCancelled);
  Remove(index);
}

void Talk::Run() {
  for (int step = 0; step < kStepsMax && !input_.empty(); ++step) {
    const uint8_t choice = input_.Byte();
    if (items_count_ == 0 || (choice % 4 == 0 && items_count_ < kItemsMax)) {
      Ask();
      continue;
    }
    const size_t index = input_.Byte() % items_count_;
    Item& item = items_[index];
    if (choice % 4 == 2) {
      Unlink(item);
    } else if (choice % 4 == 3 && item.unlinked) {
      EndUnlink(index);
    } else {
      const size_t first = FirstBefore(index);
      Answer(items_[first]);
      if (!items_[first].unlinked) Remove(first);
    }
    CHECK_EQ(client_.under_way_count(), items_count_);
  }
  while (items_count_ != 0) {
    const size_t first = FirstBefore(0);
    Answer(items_[first]);
    items_[first].unlinked ? EndUnlink(first) : Remove(first);
  }
  CHECK_EQ(client_.under_way_count(), 0u);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const Bytes rest(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0: TryOps(rest); break;
    case 1: TryCommands(rest); break;
    case 2: TryReplies(rest); break;
    case 3: Talk(rest).Run(); break;
  }
  return 0;
}
