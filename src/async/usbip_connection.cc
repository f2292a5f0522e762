#include "async/usbip_connection.h"

#include <algorithm>

namespace usbtwin::async {

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

}  // namespace

UsbIpConnection::UsbIpConnection(UsbIpServer& server, std::unique_ptr<Socket> socket)
    : server_(server),
      socket_(std::move(socket)),
      party_(Party::Of(socket_->peer())),
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

UsbIpConnectionStatus UsbIpConnection::status() const {
  return {.peer = peer(),
          .bus_id = entry_ == nullptr ? "" : entry_->exported.device.bus_id,
          .urbs_under_way = under_way_count_,
          .bytes_held = bytes_held_,
          .bytes_spare = bytes_spare_,
          .reply_bytes = writer_.length()};
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
  const bool device_idle = !opening_ && under_way_count_ == 0 && (!gate_ || gate_closed_);
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
    server_.TellOfImport(peer() + ": gave " + entry_->status.device.bus_id + " back: " + why_);
    entry_ = nullptr;
  }
  server_.clock_.Post(done_hook_);
}

void UsbIpConnection::Break(const Error& error) {
  // Of an imported device it is told when that is given back.
  if (entry_ == nullptr) {
    server_.TellOfStranger(peer() + ": " + error.Describe() + "; the connection is closed");
  }
  End(error.Describe());
}

void UsbIpConnection::EndByPeer(const std::string& why) {
  by_peer_ = by_peer_ || why_.empty();
  End(why);
}

void UsbIpConnection::HandleTimer() {
  if (!awaited_.empty()) {
    awaited_.clear();
    server_.clock_.Arm(*this, server_.clock_.Now() + server_.limits_.handshake_time);
    return Reply(usbip::MakeImportRefusal(OpStatus::kBusy));
  }
  if (phase_ == Phase::kRequest) {
    server_.TellOfStranger(peer() +
                           ": said nothing that makes a request; the connection is closed");
  }
  End(ending_soon_ ? why_ : "it took too long");
}

void UsbIpConnection::HandleInputEnd(SocketOutcome outcome) {
  input_ended_ = true;
  const bool orderly = outcome == SocketOutcome::kEnd || outcome == SocketOutcome::kCancelled;
  // A peer that says no more still gets its answer, and so it does when the reading was stopped.
  const bool answering = phase_ == Phase::kAnswered && !writer_.idle();
  if (orderly && (ending_soon_ || answering) && phase_ != Phase::kEnding) return MaybeDone();
  if (phase_ == Phase::kRequest) {
    server_.TellOfStranger(peer() + ": left without a request");
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
  if (phase_ == Phase::kAnswered && writer_.idle()) {
    if (input_ended_) return End("the peer closed the connection");
    socket_->ShutDownWriting();
    server_.clock_.Arm(*this, server_.clock_.Now() + server_.limits_.leaving_time);
  }
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
  if (phase_ == Phase::kEnding || ending_soon_) return MaybeDone();
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
      server_.TellOfStranger(peer() + ": " + bus_id.error().Describe());
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
    Reply(usbip::MakeDevicesReply(server_.ListFor(peer())));
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
      server_.TellOfStranger(peer() + ": " + bus_id + " is refused: " + refusal);
      // What it may not import it does not learn of.
      return Reply(usbip::MakeImportRefusal(OpStatus::kNoDevice));
    }
  }
  if (entry->importer == nullptr) return Import(*entry);
  if (!entry->importer->leaving()) return Reply(usbip::MakeImportRefusal(OpStatus::kBusy));
  awaited_ = bus_id;
}

void UsbIpConnection::HandleDeviceFree() {
  if (!awaited_.empty() && phase_ == Phase::kRequest) HandleImport(std::exchange(awaited_, ""));
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
    server_.TellOfStranger(peer() + ": " + entry_->status.device.bus_id + ": " + why);
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
  server_.TellOfImport(peer() + ": imported " + entry_->status.device.bus_id);
  if (answer_import_) QueueNote(usbip::MakeImportReply(entry_->exported.device));
  Advance();
}

}  // namespace usbtwin::async
