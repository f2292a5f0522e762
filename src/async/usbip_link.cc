#include "async/usbip_link.h"

#include <algorithm>

namespace usbtwin::async {

using usb::Outcome;
using usbip::Framing;

UsbIpLink::UsbIpLink(Clock& clock, std::unique_ptr<Socket> socket, const usbip::Device& device,
                     const UsbIpLinkOptions& options)
    : clock_(clock),
      socket_(std::move(socket)),
      speed_(device.speed),
      options_(options),
      session_(device.device_id()),
      reader_(*socket_, *this, kBufferLength),
      writer_(clock, *socket_, *this) {}

UsbIpLink::~UsbIpLink() {
  CHECK_EQ(under_way_count_, 0u);
  CHECK(!port_busy_);
  clock_.Disarm(*this);
  if (linked()) Unlink();
}

usb::LinkCaps UsbIpLink::caps() const {
  return {.speed = speed_,
          .streams_max = 0,
          .transfer_length_max = options_.transfer_length_max,
          .lends_data = false,
          .far = true};
}

// --- transfers ---

namespace {

// Servers end the connection over packets that overlap or lie outside of the data.
bool PacketsFit(std::span<const usb::IsoPacket> packets, size_t length) {
  uint64_t sum = 0;
  for (const usb::IsoPacket& packet : packets) {
    if (uint64_t{packet.offset} + packet.length > length) return false;
    sum += packet.length;
  }
  return sum <= length;
}

}  // namespace

void UsbIpLink::Submit(usb::Transfer& transfer) {
  CHECK(transfer.outcome == Outcome::kPending);
  transfer.ResetPackets();
  const size_t length = transfer.is_in() ? transfer.in.size() : transfer.out.size();
  const bool sound = transfer.stream_id == 0 && length <= usbip::kLengthMax &&
                     transfer.packets.size() <= wire::usbip::kPacketsMax &&
                     (!transfer.is_in() || length == transfer.in_length_max) &&
                     (!transfer.setup || length == transfer.setup->length) &&
                     PacketsFit(transfer.packets, length);
  if (broken_ || !sound) {
    transfer.outcome = broken_ ? Outcome::kDisconnected : Outcome::kFault;
    return clock_.Post(transfer);
  }
  const bool waits = resetting_ || !waiting_.empty();
  if (waits && &transfer != &port_transfer_) return waiting_.PushBack(transfer);
  Start(transfer);
}

void UsbIpLink::Start(usb::Transfer& transfer) {
  const bool in = transfer.is_in();
  const size_t length = in ? transfer.in.size() : transfer.out.size();
  const auto packets_count = static_cast<uint32_t>(transfer.packets.size());
  const std::optional<Slot> slot = session_.Begin({.endpoint = transfer.endpoint,
                                                   .in = in,
                                                   .short_not_ok = transfer.flags.short_not_ok,
                                                   .length = static_cast<uint32_t>(length),
                                                   .packets_count = packets_count});
  if (!slot) return waiting_.PushFront(transfer);
  while (flights_.size() <= *slot) flights_.push_back(std::make_unique<Flight>());
  Flight& flight = *flights_[*slot];
  flight.slot = *slot;
  flight.owner = this;
  flight.submit_message.flight = flight.unlink_message.flight = &flight;
  flight.transfer = &transfer;
  flight.order = ++started_count_;
  flight.submit = session_.MakeSubmit(*slot, transfer, IntervalOf(transfer));
  flight.packets_raw.resize(packets_count * sizeof(wire::usbip::IsoDescriptor));
  usbip::EmitPackets(transfer.packets, flight.packets_raw);
  flight.answered = false;
  flight.unsent_count = 1;
  flight.last = false;
  flight.unlink_deadline = kNever;
  ++under_way_count_;
  const size_t data_length = in ? 0 : length;
  writer_.Queue(flight.submit_message,
                sizeof flight.submit + data_length + flight.packets_raw.size());
  if (!reader_.reading() && !broken_) Read();
}

// A Linux server refuses a periodic transfer without an interval, and the connection with it. What
// no descriptor has told of may be one.
uint32_t UsbIpLink::IntervalOf(const usb::Transfer& transfer) const {
  if (transfer.setup) return 0;
  const link::EndpointMap::Entry& entry = endpoints_.Find(transfer.endpoint);
  if (!entry.known) return 1;
  return entry.type == usb::TransferType::kBulk ? 0 : link::UrbInterval(entry, speed_);
}

void UsbIpLink::Flight::SubmitMessage::AppendPieces(std::vector<Bytes>& pieces) const {
  pieces.push_back(wire::AsBytes(flight->submit));
  const usb::Transfer& submitted = *flight->transfer;
  if (!submitted.is_in() && !submitted.out.empty()) pieces.push_back(submitted.out);
  if (!flight->packets_raw.empty()) pieces.push_back(flight->packets_raw);
}
void UsbIpLink::Flight::SubmitMessage::HandleSent() {
  flight->owner->HandleSent(*flight);
}
void UsbIpLink::Flight::UnlinkMessage::AppendPieces(std::vector<Bytes>& pieces) const {
  pieces.push_back(wire::AsBytes(flight->unlink));
}
void UsbIpLink::Flight::UnlinkMessage::HandleSent() {
  flight->owner->HandleSent(*flight);
}

UsbIpLink::Flight* UsbIpLink::Find(const usb::Transfer& transfer) {
  const auto found = std::find_if(flights_.begin(), flights_.end(), [&](const auto& flight) {
    return flight->transfer == &transfer;
  });
  return found == flights_.end() ? nullptr : found->get();
}

void UsbIpLink::Cancel(usb::Transfer& transfer) {
  if (transfer.outcome != Outcome::kPending) return;
  if (waiting_.Contains(transfer)) {
    transfer.Unlink();
    transfer.outcome = Outcome::kCancelled;
    return clock_.Post(transfer);
  }
  Flight* flight = Find(transfer);
  CHECK(flight != nullptr);
  if (flight->unlink_deadline != kNever || broken_) return;
  flight->unlink_deadline = clock_.Now() + options_.unlink_time;
  ArmTimer();
  // One that is answered is decided, but for the rest of its data, or of its own message.
  if (flight->answered) return;
  flight->unlink = session_.MakeUnlink(flight->slot);
  ++flight->unsent_count;
  writer_.Queue(flight->unlink_message, sizeof flight->unlink);
}

void UsbIpLink::HandleSent(Flight& flight) {
  --flight.unsent_count;
  // Where the connection broke, FinishAll ends it.
  if (!broken_) MaybeFinish(flight);
}

// A transfer ends when all that was said of it is said: nothing of it is in the socket then.
void UsbIpLink::MaybeFinish(Flight& flight) {
  if (flight.transfer == nullptr || flight.unsent_count != 0 || !flight.last) return;
  CHECK(flight.answered);
  Finish(flight, flight.reply.outcome);
}

void UsbIpLink::Finish(Flight& flight, Outcome outcome) {
  usb::Transfer& transfer = *std::exchange(flight.transfer, nullptr);
  flight.unlink_deadline = kNever;
  --under_way_count_;
  transfer.outcome = outcome;
  if (flight.answered) {
    transfer.length_actual = flight.reply.length_actual;
    // Counted here: the server may say anything.
    transfer.error_count = static_cast<uint32_t>(
        std::count_if(transfer.packets.begin(), transfer.packets.end(),
                      [](const usb::IsoPacket& packet) { return packet.outcome != Outcome::kOk; }));
    transfer.start_frame = flight.reply.start_frame;
    endpoints_.Observe(transfer);
  }
  clock_.Post(transfer);
  if (broken_) return;
  session_.Free(flight.slot);
  if (emptying_ && under_way_count_ == 0) {
    emptying_ = false;
    SendPortRequest(*usb::AsSetupPacket(usb::ResetPort{}));
  }
  StartWaiting();
}

void UsbIpLink::StartWaiting() {
  while (!broken_ && !resetting_ && !waiting_.empty() &&
         session_.slots_taken() < session_.kSlotsMax) {
    Start(waiting_.PopFront());
  }
}

// --- replies ---

// As far as what came goes. A transfer whose last reply was read may still be sent: for such a one
// nothing is read, so that no read is left when it ends.
void UsbIpLink::Read() {
  if (std::exchange(advancing_, true)) return;  // one that started while another one ended
  bool more = true;
  while (more && !reader_.reading() && !broken_) {
    if (framing_.part() == Framing::Part::kHeader) {
      more = session_.under_way_count() != 0 && AdvanceHeader();
    } else {
      more = AdvancePayload();
    }
  }
  advancing_ = false;
}

bool UsbIpLink::AdvanceHeader() {
  const Bytes bytes = reader_.buffered();
  if (bytes.size() < wire::usbip::kHeaderLength) {
    reader_.Fill();
    return false;
  }
  const Result<usbip::ClientSession::Reply> reply =
      session_.HandleReply(Take(bytes, wire::usbip::kHeaderLength));
  reader_.Take(wire::usbip::kHeaderLength);
  if (!reply) {
    Break(reply.error().Describe());
    return false;
  }
  Flight& flight = *flights_[reply->slot];
  CHECK(flight.transfer != nullptr);
  framing_.HandleHeader(reply->data_length, reply->packets_count);
  incoming_packets_ = reply->packets_count != 0;
  if (reply->ends) flight.reply = *reply;
  flight.answered = flight.answered || reply->ends;
  incoming_last_ = reply->last;
  incoming_ = &flight;
  if (framing_.part() == Framing::Part::kHeader) HandleMessageDone();
  return !broken_;
}

MutableBytes UsbIpLink::PayloadRoom() {
  if (framing_.part() == Framing::Part::kData) {
    return Take(incoming_->transfer->in, incoming_->reply.data_length).last(framing_.left());
  }
  return MutableBytes(incoming_->packets_raw).last(framing_.left());
}

bool UsbIpLink::AdvancePayload() {
  const Bytes bytes = Take(reader_.buffered(), framing_.left());
  const MutableBytes room = PayloadRoom();
  if (bytes.empty()) {
    if (room.size() >= kDirectMin) {
      reader_.FillInto(room);
    } else {
      reader_.Fill();
    }
    return false;
  }
  const size_t length = CopyBytes(room, bytes);
  reader_.Take(length);
  framing_.HandleMoved(static_cast<uint32_t>(length));
  if (framing_.part() == Framing::Part::kHeader) HandleMessageDone();
  return !broken_;
}

void UsbIpLink::HandleMessageDone() {
  Flight& flight = *std::exchange(incoming_, nullptr);
  usb::Transfer& transfer = *flight.transfer;
  flight.last = incoming_last_;
  if (incoming_packets_) {
    const MutableBytes data = transfer.is_in() ? transfer.in : MutableBytes();
    const Result<void> parsed = usbip::ParseReplyPackets(
        flight.packets_raw, flight.reply.length_actual, data, transfer.packets);
    if (!parsed) {
      transfer.ResetPackets();  // nothing of such a reply counts
      return Break(parsed.error().Describe());
    }
  }
  MaybeFinish(flight);
}

void UsbIpLink::HandleInput(size_t length) {
  if (broken_) return FinishAll();
  if (length != 0) {
    framing_.HandleMoved(static_cast<uint32_t>(length));
    if (framing_.part() == Framing::Part::kHeader) HandleMessageDone();
  }
  Read();
}

void UsbIpLink::HandleInputEnd(SocketOutcome outcome) {
  Break(outcome == SocketOutcome::kEnd ? "the server closed the connection"
                                       : std::string("the connection ended: ") + Name(outcome));
  FinishAll();
}

void UsbIpLink::HandleOutputEnd(SocketOutcome outcome) {
  Break(std::string("the connection ended: ") + Name(outcome));
  FinishAll();
}

void UsbIpLink::Break(const std::string& why) {
  if (std::exchange(broken_, true)) return;
  why_gone_ = why;
  if (options_.handle_gone) options_.handle_gone(why);
  reader_.Stop();
  writer_.Stop();
  FinishAll();
}

// Once nothing of theirs is in the socket.
void UsbIpLink::FinishAll() {
  if (!broken_ || reader_.reading() || !writer_.idle()) return;
  incoming_ = nullptr;
  std::vector<Flight*> left;
  for (const auto& flight : flights_) {
    if (flight->transfer != nullptr) left.push_back(flight.get());
  }
  std::sort(left.begin(), left.end(),
            [](const Flight* one, const Flight* other) { return one->order < other->order; });
  for (Flight* flight : left) {
    flight->answered = false;
    Finish(*flight, Outcome::kDisconnected);
  }
  while (!waiting_.empty()) {
    usb::Transfer& transfer = waiting_.PopFront();
    transfer.outcome = Outcome::kDisconnected;
    clock_.Post(transfer);
  }
  if (!std::exchange(emptying_, false)) return;
  resetting_ = false;
  FinishPortRequest(Outcome::kDisconnected);
  NextPortRequest();
}

void UsbIpLink::ArmTimer() {
  TimePoint next = port_deadline_;
  for (const auto& flight : flights_) next = std::min(next, flight->unlink_deadline);
  if (next == kNever) return clock_.Disarm(*this);
  clock_.Arm(*this, next);
}

void UsbIpLink::HandleTimer() {
  for (const auto& flight : flights_) {
    if (flight->unlink_deadline > clock_.Now()) continue;
    const auto time = std::chrono::duration_cast<std::chrono::milliseconds>(options_.unlink_time);
    return Break("a transfer was cancelled, and the server did not answer that within " +
                 std::to_string(time.count()) + " ms");
  }
  if (port_deadline_ <= clock_.Now()) {
    port_deadline_ = kNever;
    Cancel(port_transfer_);
  }
  ArmTimer();
}

}  // namespace usbtwin::async
