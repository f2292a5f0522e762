#include "async/usbip_connection.h"

#include <algorithm>

namespace usbtwin::async {

using usb::Outcome;
using usbip::Framing;
using wire::usbip::OpStatus;

namespace {

// Of replies that wait to be sent; reading goes on below it.
constexpr size_t kRepliesMax = 4096;

OpStatus StatusOfOpening(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kNotFound:
    case ErrorKind::kDisconnected: return OpStatus::kNotAvailable;
    case ErrorKind::kBusy:
    case ErrorKind::kDenied: return OpStatus::kBusy;
    default: return OpStatus::kDeviceError;
  }
}

std::vector<uint8_t> ToVector(Bytes bytes) {
  return {bytes.begin(), bytes.end()};
}

}  // namespace

UsbIpConnection::UsbIpConnection(UsbIpServer& server, std::unique_ptr<Socket> socket)
    : server_(server),
      socket_(std::move(socket)),
      closed_hook_(*this),
      done_hook_(*this),
      reader_(*socket_, *this, kBufferLength),
      writer_(server.clock_, *socket_, *this) {}

UsbIpConnection::~UsbIpConnection() {
  while (!free_urbs_.empty()) free_urbs_.PopFront();
  while (!notes_.empty()) notes_.PopFront();
}

void UsbIpConnection::Start() {
  server_.clock_.Arm(*this, server_.clock_.Now() + server_.limits_.handshake_time);
  reader_.Fill();
}

void UsbIpConnection::StartImported(UsbIpServer::Entry& entry) {
  answer_import_ = false;
  Import(entry);
}

// --- ending ---

void UsbIpConnection::End(const std::string& why) {
  if (phase_ == Phase::kEnding) return;
  if (why_.empty()) why_ = why;
  phase_ = Phase::kEnding;
  server_.clock_.Disarm(*this);
  reader_.Stop();
  writer_.Stop();
  GiveBack();
  MaybeDone();
}

void UsbIpConnection::EndSoon(const std::string& why) {
  if (phase_ == Phase::kEnding || ending_soon_) return;
  if (phase_ != Phase::kImported) return End(why);
  why_ = why;
  ending_soon_ = true;
  server_.clock_.Arm(*this, server_.clock_.Now() + server_.limits_.stop_time);
  reader_.Stop();
  GiveBack();
}

void UsbIpConnection::GiveBack() {
  if (!gate_ || gate_closing_) return;
  gate_closing_ = true;
  gate_->Close(closed_hook_);
}

void UsbIpConnection::MaybeDone() {
  const bool device_idle = !opening_ && under_way_.empty() && (!gate_ || gate_closed_);
  if (ending_soon_ && phase_ != Phase::kEnding) {
    if (device_idle && writer_.idle()) End(why_);
    return;
  }
  if (phase_ != Phase::kEnding || !device_idle) return;
  if (reader_.reading() || !writer_.idle() || done_hook_.linked()) return;
  gate_.reset();
  stack_.Close();
  if (entry_ != nullptr) {
    entry_->importer = nullptr;
    entry_->status.peer.clear();
    entry_->status.last_end = why_;
    entry_->status.ended_by_peer = by_peer_;
    server_.Tell(peer() + ": gave " + entry_->status.device.bus_id + " back: " + why_);
    entry_ = nullptr;
  }
  server_.clock_.Post(done_hook_);
}

void UsbIpConnection::Break(const Error& error) {
  server_.Tell(peer() + ": " + error.Describe() + "; the connection is closed");
  End(error.Describe());
}

void UsbIpConnection::EndByPeer(const std::string& why) {
  by_peer_ = by_peer_ || why_.empty();
  End(why);
}

void UsbIpConnection::HandleTimer() {
  if (phase_ == Phase::kRequest) {
    server_.Tell(peer() + ": said nothing that makes a request; the connection is closed");
  }
  End(ending_soon_ ? why_ : "it took too long");
}

void UsbIpConnection::HandleInputEnd(SocketOutcome outcome) {
  input_ended_ = true;
  // Nothing more is read, and the replies that are queued are still sent.
  if (ending_soon_ && phase_ != Phase::kEnding && outcome == SocketOutcome::kCancelled) {
    return MaybeDone();
  }
  const bool within = phase_ == Phase::kImported &&
                      (framing_.part() != Framing::Part::kHeader || !reader_.buffered().empty());
  if (outcome == SocketOutcome::kEnd) {
    EndByPeer(within ? "the peer closed the connection within a message"
                     : "the peer closed the connection");
  } else {
    EndByPeer(std::string("the connection ended: ") + Name(outcome));
  }
  MaybeDone();
}

void UsbIpConnection::HandleOutput() {
  if (phase_ == Phase::kAnswered && writer_.idle()) socket_->ShutDownWriting();
  Advance();
  MaybeDone();
}

void UsbIpConnection::HandleOutputEnd(SocketOutcome outcome) {
  output_ended_ = true;
  EndByPeer(std::string("the connection ended: ") + Name(outcome));
  MaybeDone();
}

// --- what arrives ---

void UsbIpConnection::HandleInput(size_t length) {
  if (phase_ == Phase::kAnswered) {
    reader_.Take(reader_.buffered().size());
    return reader_.Fill();
  }
  if (length != 0) {
    framing_.HandleMoved(static_cast<uint32_t>(length));
    if (framing_.part() == Framing::Part::kHeader) HandlePayloadDone();
  }
  Advance();
}

void UsbIpConnection::Advance() {
  while (!reader_.reading() && !ending_soon_ && !input_ended_) {
    if (writer_.length() > server_.limits_.reply_bytes_max || replies_count_ > kRepliesMax) return;
    bool more = false;
    if (phase_ == Phase::kRequest) {
      more = AdvanceRequest();
    } else if (phase_ == Phase::kImported) {
      more = framing_.part() == Framing::Part::kHeader ? AdvanceHeader() : AdvancePayload();
    }
    if (!more) return;
  }
}

bool UsbIpConnection::AdvanceRequest() {
  const Bytes bytes = reader_.buffered();
  const size_t needed = importing_ ? wire::usbip::kBusIdLength : sizeof(wire::usbip::OpHeader);
  if (bytes.size() < needed) {
    reader_.Fill();
    return false;
  }
  if (importing_) {
    const Result<std::string> bus_id = usbip::ParseBusId(Take(bytes, needed));
    reader_.Take(needed);
    if (!bus_id) {
      server_.Tell(peer() + ": " + bus_id.error().Describe());
      Reply(usbip::MakeImportRefusal(OpStatus::kError));
    } else {
      HandleImport(*bus_id);
    }
    return false;
  }
  const Result<usbip::Op> op = usbip::ParseRequest(Take(bytes, needed));
  reader_.Take(needed);
  if (!op) {
    Break(op.error());
  } else if (*op == usbip::Op::kDevices) {
    Reply(usbip::MakeDevicesReply(server_.List()));
  } else {
    importing_ = true;
  }
  return op.has_value() && importing_;
}

void UsbIpConnection::Reply(std::vector<uint8_t> bytes) {
  phase_ = Phase::kAnswered;
  QueueNote(std::move(bytes));
  // Until the peer closes: a connection closed with bytes unread would take the reply with it.
  reader_.Take(reader_.buffered().size());
  if (!reader_.reading()) reader_.Fill();
}

bool UsbIpConnection::AdvanceHeader() {
  const Bytes bytes = reader_.buffered();
  if (bytes.size() < wire::usbip::kHeaderLength) {
    reader_.Fill();
    return false;
  }
  const Result<usbip::Command> command = usbip::ParseCommand(
      Take(bytes, wire::usbip::kHeaderLength), entry_->exported.device.device_id());
  reader_.Take(wire::usbip::kHeaderLength);
  if (!command) {
    Break(command.error());
  } else if (const auto* submit = std::get_if<usbip::Submit>(&*command)) {
    HandleSubmit(*submit);
  } else {
    HandleUnlink(std::get<usbip::Unlink>(*command));
  }
  return phase_ == Phase::kImported;
}

bool UsbIpConnection::AdvancePayload() {
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
  CopyBytes(room, bytes);
  const auto length = static_cast<uint32_t>(bytes.size());
  reader_.Take(length);
  framing_.HandleMoved(length);
  if (framing_.part() == Framing::Part::kHeader) HandlePayloadDone();
  return phase_ == Phase::kImported;
}

// Where what comes next belongs; nowhere where it is dropped.
MutableBytes UsbIpConnection::PayloadRoom() {
  if (incoming_ == nullptr) return {};
  if (framing_.part() == Framing::Part::kData) {
    return Take(MutableBytes(incoming_->slab), incoming_->submit.length).last(framing_.left());
  }
  return MutableBytes(incoming_->packets_raw).last(framing_.left());
}

void UsbIpConnection::HandlePayloadDone() {
  if (incoming_ == nullptr) return;
  Urb& urb = *std::exchange(incoming_, nullptr);
  if (!urb.packets.empty()) {
    const Result<void> parsed =
        usbip::ParsePackets(urb.packets_raw, urb.submit.length, urb.packets);
    if (!parsed) {
      Free(urb);
      return Break(parsed.error());
    }
  }
  SubmitUrb(urb);
}

// --- the import ---

void UsbIpConnection::HandleImport(const std::string& bus_id) {
  UsbIpServer::Entry* entry = server_.Find(bus_id);
  if (entry == nullptr) return Reply(usbip::MakeImportRefusal(OpStatus::kNoDevice));
  if (entry->exported.admit) {
    const std::string refusal = entry->exported.admit(peer());
    if (!refusal.empty()) {
      server_.Tell(peer() + ": " + bus_id + " is refused: " + refusal);
      return Reply(usbip::MakeImportRefusal(OpStatus::kNotAvailable));
    }
  }
  if (entry->importer != nullptr) return Reply(usbip::MakeImportRefusal(OpStatus::kBusy));
  Import(*entry);
}

void UsbIpConnection::Import(UsbIpServer::Entry& entry) {
  CHECK(entry.importer == nullptr);
  server_.clock_.Disarm(*this);
  phase_ = Phase::kOpening;
  entry_ = &entry;
  entry.importer = this;
  opening_ = true;
  open_.id = entry.exported.id;
  open_.Push(*this);
  entry.exported.bus->Open(open_);
}

void UsbIpConnection::OnDone(usb::OpenOp& op, uint64_t) {
  opening_ = false;
  if (!op.result) {
    const std::string why = "it cannot be opened: " + op.result.error().Describe();
    if (phase_ == Phase::kEnding) return MaybeDone();
    if (!answer_import_) return End(why);
    server_.Tell(peer() + ": " + entry_->status.device.bus_id + ": " + why);
    entry_->importer = nullptr;
    entry_ = nullptr;
    server_.clock_.Arm(*this, server_.clock_.Now() + server_.limits_.handshake_time);
    return Reply(usbip::MakeImportRefusal(StatusOfOpening(op.result.error().kind)));
  }
  stack_ = std::move(*op.result);
  if (phase_ == Phase::kEnding) return MaybeDone();
  caps_ = stack_.top->caps();
  gate_.emplace(server_.clock_, *stack_.top,
                link::Gatekeeper::Options{.configurations = entry_->exported.configurations,
                                          .kernel_driver = entry_->exported.kernel_driver,
                                          .repeated_configuration_resets = true});
  phase_ = Phase::kImported;
  ++entry_->status.imports;
  entry_->status.peer = peer();
  server_.Tell(peer() + ": imported " + entry_->status.device.bus_id);
  if (answer_import_) QueueNote(usbip::MakeImportReply(entry_->exported.device));
  Advance();
}

// --- transfers ---

void UsbIpConnection::HandleSubmit(const usbip::Submit& submit) {
  UsbIpDeviceStatus& status = entry_->status;
  ++status.urbs;
  const bool control = submit.endpoint.number() == 0;
  const bool isochronous = !control && gate_->IsIsochronous(submit.endpoint);
  const uint32_t packets_count = isochronous ? submit.packets_count : 0;
  if (packets_count > wire::usbip::kPacketsMax) {
    return Break({.kind = ErrorKind::kProtocol,
                  .endpoint = submit.endpoint.value,
                  .text = "a transfer of {} isochronous packets: at most {}",
                  .values = {packets_count, wire::usbip::kPacketsMax}});
  }
  framing_.HandleHeader(submit.in ? 0 : submit.length, packets_count);
  const UsbIpLimits& limits = server_.limits_;
  const bool lent = submit.in && caps_.lends_data && !control && !isochronous;
  const uint32_t slab_length = lent ? 0 : submit.length;
  uint32_t refusal = 0;
  if (control && !IsSound(submit)) {
    refusal = usbip::kStatusInvalid;
  } else if (submit.length > std::min(limits.urb_length_max, caps_.transfer_length_max) ||
             under_way_.size() >= limits.urbs_max ||
             slab_length > limits.urb_bytes_max - std::min(limits.urb_bytes_max, bytes_held_)) {
    refusal = usbip::kStatusNoMemory;
  }
  if (refusal != 0) {
    ++status.refused;
    QueueNote(ToVector(wire::AsBytes(usbip::MakeRefusal(submit.sequence, refusal))));
    return;
  }
  Urb& urb = TakeUrb();
  urb.submit = submit;
  urb.unlink_sequence.reset();
  urb.bytes_length = slab_length;
  bytes_held_ += slab_length;
  if (urb.slab.size() < slab_length) urb.slab.resize(slab_length);
  urb.packets.assign(packets_count, {});
  urb.packets_raw.resize(packets_count * sizeof(wire::usbip::IsoDescriptor));
  if (!submit.in) status.bytes_out += submit.length;
  if (framing_.part() == Framing::Part::kHeader) return SubmitUrb(urb);
  incoming_ = &urb;
}

void UsbIpConnection::SubmitUrb(Urb& urb) {
  const usbip::Submit& submit = urb.submit;
  usb::Transfer& transfer = urb.transfer;
  transfer.endpoint = submit.endpoint;
  transfer.flags = submit.flags;
  transfer.setup.reset();
  if (submit.endpoint.number() == 0) transfer.setup = submit.setup;
  transfer.packets = urb.packets;
  transfer.start_frame = submit.start_frame;
  const MutableBytes data = Take(MutableBytes(urb.slab), urb.bytes_length);
  const bool in = transfer.is_in();
  transfer.out = in ? Bytes() : Bytes(data);
  transfer.in = in ? data : MutableBytes();
  transfer.in_length_max = in ? submit.length : 0;
  transfer.Rearm();
  urb.place = under_way_.size();
  under_way_.push_back(&urb);
  transfer.Push(*this, urb.index);
  gate_->Submit(transfer);
}

void UsbIpConnection::HandleUnlink(const usbip::Unlink& unlink) {
  ++entry_->status.unlinks;
  const auto victim = std::find_if(under_way_.begin(), under_way_.end(), [&](const Urb* urb) {
    return urb->submit.sequence == unlink.victim && !urb->unlink_sequence;
  });
  if (victim == under_way_.end()) {
    return QueueNote(ToVector(wire::AsBytes(usbip::MakeUnlinkReply(unlink.sequence, 0))));
  }
  (*victim)->unlink_sequence = unlink.sequence;
  gate_->Cancel((*victim)->transfer);
}

void UsbIpConnection::OnDone(usb::Transfer& transfer, uint64_t word) {
  Urb& urb = *urbs_[word];
  under_way_[urb.place] = under_way_.back();
  under_way_[urb.place]->place = urb.place;
  under_way_.pop_back();
  const bool gone = transfer.outcome == Outcome::kDisconnected;
  if (phase_ == Phase::kEnding) {
    Free(urb);
    return MaybeDone();
  }
  Answer(urb);
  if (gone) EndSoon("the device is gone");
  MaybeDone();
}

void UsbIpConnection::Answer(Urb& urb) {
  const usb::Transfer& transfer = urb.transfer;
  usbip::Ending ending;
  if (urb.unlink_sequence) ending = usbip::EndingOf(transfer.outcome);
  const std::optional<uint32_t> unlink_sequence = urb.unlink_sequence;
  if (ending.submit_reply) {
    urb.reply = usbip::MakeReply(urb.submit.sequence, transfer);
    if (!urb.packets.empty()) usbip::EmitPackets(urb.packets, urb.packets_raw);
    uint32_t data_length = 0;
    if (transfer.is_in()) {
      data_length = transfer.length_actual;
      entry_->status.bytes_in += data_length;
    }
    ++replies_count_;
    writer_.Queue(urb, sizeof urb.reply + data_length + urb.packets_raw.size());
  } else {
    Free(urb);
  }
  if (!unlink_sequence) return;
  QueueNote(
      ToVector(wire::AsBytes(usbip::MakeUnlinkReply(*unlink_sequence, ending.unlink_status))));
}

void UsbIpConnection::Urb::AppendPieces(std::vector<Bytes>& pieces) const {
  pieces.push_back(wire::AsBytes(reply));
  if (transfer.is_in()) {
    if (!packets.empty()) {
      for (const usb::IsoPacket& packet : packets) {
        if (packet.length_actual == 0) continue;
        pieces.push_back(Bytes(slab).subspan(packet.offset, packet.length_actual));
      }
    } else if (!transfer.lease.empty()) {
      transfer.lease.ForEach([&](Bytes piece) { pieces.push_back(piece); });
    } else if (transfer.length_actual != 0) {
      pieces.push_back(Take(Bytes(slab), transfer.length_actual));
    }
  }
  if (!packets_raw.empty()) pieces.push_back(packets_raw);
}

// --- memory ---

UsbIpConnection::Urb& UsbIpConnection::TakeUrb() {
  if (!free_urbs_.empty()) return static_cast<Urb&>(free_urbs_.PopFront());
  urbs_.push_back(std::make_unique<Urb>(*this));
  urbs_.back()->index = urbs_.size() - 1;
  return *urbs_.back();
}

void UsbIpConnection::Free(Urb& urb) {
  urb.transfer.lease.Clear();
  bytes_held_ -= urb.bytes_length;
  urb.bytes_length = 0;
  if (urb.slab.size() > kSlabKeptMax && urb.index >= kLargeUrbsKept) urb.slab = {};
  free_urbs_.PushFront(urb);
}

void UsbIpConnection::HandleReplySent(Urb& urb) {
  --replies_count_;
  Free(urb);
}

void UsbIpConnection::QueueNote(std::vector<uint8_t> bytes) {
  if (notes_.empty()) {
    all_notes_.push_back(std::make_unique<Note>(*this));
    notes_.PushBack(*all_notes_.back());
  }
  auto& note = static_cast<Note&>(notes_.PopFront());
  note.bytes = std::move(bytes);
  ++replies_count_;
  writer_.Queue(note, note.bytes.size());
}

}  // namespace usbtwin::async
