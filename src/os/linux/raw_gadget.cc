#include "os/linux/raw_gadget.h"

#include <algorithm>
#include <cerrno>

#include "base/text.h"
#include "os/linux/system.h"

namespace usbtwin::os {

using app::Failure;
using emulator::ControlReply;
using emulator::HaltState;
using usb::SetupPacket;

namespace {

// An address is given by the hardware; the device learns that it has one. USB 2.0, 9.4.6.
constexpr SetupPacket kSetAddress{.request_type = 0,
                                  .request = static_cast<uint8_t>(wire::usb::Request::kSetAddress),
                                  .value = uint16_t{1},
                                  .index = uint16_t{0},
                                  .length = uint16_t{0}};
constexpr uint16_t kPowerMa = 500;  // a UDC that cares about it is told the most there is

bool IsIn(const SetupPacket& setup) {
  return (setup.request_type & wire::usb::kDirectionIn) != 0 && setup.length != 0;
}

bool Configures(const SetupPacket& setup) {
  return setup.request_type == 0 && setup.value != 0 &&
         setup.request == static_cast<uint8_t>(wire::usb::Request::kSetConfiguration);
}

}  // namespace

// ---- Threads ----------------------------------------------------------------------------------

void RawGadget::Events::Work() {
  do {
    result_ = interrupted() ? -EINTR : gadget_.context_.file.Fetch(event_);
  } while (result_ == -EINTR && !interrupted());
}

void RawGadget::Events::HandleHome() {
  if (gadget_.detaching_) return gadget_.Wake();
  if (result_ < 0) return gadget_.HandleEventsEnded(-result_);
  gadget_.HandleEvent(event_);
  if (!Submit()) gadget_.Fail("the system has no thread left");
}

bool RawGadget::Control::Read(uint16_t length) {
  return Move(false, length, false);
}

bool RawGadget::Control::Write(Bytes data, bool zero_packet) {
  buffer_.resize(sizeof(RawIoHeader) + data.size());
  CopyBytes(MutableBytes(buffer_).subspan(sizeof(RawIoHeader)), data);
  return Move(true, data.size(), zero_packet);
}

bool RawGadget::Control::Move(bool in, size_t length, bool zero_packet) {
  in_ = in;
  buffer_.resize(sizeof(RawIoHeader) + length);
  RawIoHeader header = {};
  header.flags = zero_packet ? USB_RAW_IO_FLAGS_ZERO : 0;
  header.length = static_cast<__u32>(length);
  std::memcpy(buffer_.data(), &header, sizeof(header));
  return Submit();
}

void RawGadget::Control::Work() {
  auto& header = *reinterpret_cast<RawIoHeader*>(buffer_.data());
  const RawGadgetFile& file = gadget_.context_.file;
  result_ = interrupted() ? -EINTR : in_ ? file.WriteControl(header) : file.ReadControl(header);
}

void RawGadget::Control::HandleHome() {
  const size_t length = result_ > 0 && !in_ ? static_cast<size_t>(result_) : 0;
  gadget_.HandleControlHome(Bytes(buffer_).subspan(sizeof(RawIoHeader), length), result_);
}

// ---- Attaching --------------------------------------------------------------------------------

Result<std::unique_ptr<RawGadget>, Failure> RawGadget::Make(Loop& loop,
                                                            const GadgetOptions& options) {
  if (options.speed > usb::Speed::kHigh) {
    return Failure{Failure::Kind::kCannotOpen,
                   std::string("a device at ") + usb::Name(options.speed) +
                       " speed cannot be presented: raw-gadget knows full and high speed (no "
                       "isochronous endpoints and no streams, either)"};
  }
  const UdcName wanted{.device = options.udc, .driver = options.driver};
  const Result<UdcName, Failure> udc = FindUdc(wanted, options.speed);
  // Of two things that are missing, the module is told first.
  Result<RawGadgetFile, Failure> file =
      RawGadgetFile::Open(udc ? *udc : UdcName{.device = "none", .driver = "none"}, options.speed);
  if (!file) return file.error();
  if (!udc) return udc.error();
  std::unique_ptr<RawGadget> gadget(new RawGadget(loop, *udc, options.speed));
  gadget->context_.file = std::move(*file);
  return gadget;
}

RawGadget::RawGadget(Loop& loop, UdcName udc, usb::Speed speed)
    : loop_(loop), udc_(std::move(udc)), speed_(speed) {
  context_.keeps_cancelled = udc_.driver == "dummy_udc";
  context_.changed = [this] { Wake(); };
  context_.refused = [this](int error, uint8_t address) {
    std::string text = "the USB device controller " + Printable(udc_.device) + " has no endpoint ";
    text.append((address & 0x80) != 0 ? "in " : "out ").append(std::to_string(address & 0x0f));
    Fail(text + " like the device's: " + ErrorText(error));
  };
}

RawGadget::~RawGadget() {
  CHECK(client_ == nullptr);
  CHECK(!linked());
}

void RawGadget::Fail(std::string text) {
  if (!failure_) failure_ = Failure{Failure::Kind::kTransport, std::move(text)};
  loop_.Wake();
}

void RawGadget::Attach(emulator::ControllerClient& client) {
  CHECK(client_ == nullptr);
  client_ = &client;
  if (!context_.file) {
    Result<RawGadgetFile, Failure> file = RawGadgetFile::Open(udc_, speed_);
    if (file) {
      context_.file = std::move(*file);
    } else if (!failure_) {
      failure_ = file.error();
    }
  }
  if (failure_) return loop_.Wake();
  const Result<void, Failure> running = context_.file.Run(udc_);
  if (!running) {
    failure_ = running.error();
    return loop_.Wake();
  }
  if (!events_.Wait()) Fail("the system has no thread left");
}

void RawGadget::Detach() {
  if (client_ == nullptr || detaching_) return;
  detaching_ = true;
  Wake();
}

void RawGadget::DetachNow() {
  if (client_ != nullptr) {
    DropControl();
    std::exchange(client_, nullptr)->HandleDisconnect();
  }
  events_.Interrupt();
  control_.Interrupt();
  if (away()) return;
  for (const auto& endpoint : endpoints_) {
    if (endpoint != nullptr) endpoint->Forget();
  }
  // Gives the controller back: its host sees the device unplugged.
  context_.file = RawGadgetFile();
  detaching_ = false;
}

bool RawGadget::away() const {
  bool away = events_.away() || control_.away();
  for (const auto& endpoint : endpoints_) away = away || (endpoint && endpoint->away());
  return away;
}

void RawGadget::Wake() {
  if (!linked()) loop_.Post(*this);
}

void RawGadget::Run() {
  if (detaching_) return DetachNow();
  if (client_ == nullptr) return;
  if (stage_ == Stage::kWaiting && !control_.away()) BeginControl();
  if (stage_ == Stage::kAnswered && settled()) SendReply();
}

// ---- What happens on the bus ------------------------------------------------------------------

void RawGadget::HandleEventsEnded(int error) {
  Fail("the kernel has given up on the device (" + ErrorText(error) + "): start it again");
}

void RawGadget::HandleEvent(const RawEvent& event) {
  switch (event.kind) {
    case RawEventKind::kConnect:
    case RawEventKind::kReset: return HandleReset();
    case RawEventKind::kSuspend: return client_->HandleSuspend();
    case RawEventKind::kResume: return client_->HandleResume();
    case RawEventKind::kDisconnect: DropControl(); return client_->HandleDisconnect();
    case RawEventKind::kControl:
      ticket_open_ = false;
      control_.Interrupt();
      setup_ = event.setup;
      stage_ = Stage::kWaiting;
      Wake();
  }
}

void RawGadget::HandleReset() {
  DropControl();
  client_->HandleBusReset();
  client_->HandleSetup(kSetAddress, {}, ++ticket_);
}

// ---- Control requests -------------------------------------------------------------------------

// The host waits no longer: a reset, or a cable that was pulled.
void RawGadget::DropControl() {
  // The kernel takes no other request as long as it believes that one unanswered.
  const bool unanswered = stage_ != Stage::kNone && stage_ != Stage::kReceived;
  if (unanswered && !control_.away()) context_.file.StallControl();
  stage_ = Stage::kNone;
  ticket_open_ = false;
  control_.Interrupt();
}

void RawGadget::BeginControl() {
  data_taken_ = false;
  if (Configures(setup_)) {
    const std::string other = OtherLinkSpeed(udc_, speed_);
    if (!other.empty()) {
      Fail("the host of " + Printable(udc_.device) + " talks to it at " + Printable(other) +
           ", for which the device was not made (emu:...?speed=full)");
      return TakeReply(ControlReply::Stall());
    }
  }
  const bool has_data = setup_.length != 0 && !IsIn(setup_);
  if (!has_data) return Ask({});
  stage_ = Stage::kReceived;
  if (!control_.Read(setup_.length)) Fail("the system has no thread left");
}

void RawGadget::HandleControlHome(Bytes data, int result) {
  if (detaching_ || stage_ != Stage::kReceived) return Wake();
  stage_ = Stage::kNone;
  data_taken_ = true;
  if (result == setup_.length) Ask(data);
}

void RawGadget::Ask(Bytes out) {
  stage_ = Stage::kAsked;
  ticket_open_ = true;
  const ControlReply reply = client_->HandleSetup(setup_, out, ++ticket_);
  if (reply.kind != ControlReply::Kind::kLater) TakeReply(reply);
}

void RawGadget::CompleteControl(emulator::ControlTicket ticket, ControlReply reply) {
  if (!ticket_open_ || ticket != ticket_) return;
  CHECK(reply.kind != ControlReply::Kind::kLater);
  TakeReply(reply);
}

void RawGadget::TakeReply(const ControlReply& reply) {
  ticket_open_ = false;
  reply_kind_ = reply.kind;
  const Bytes data = Take(reply.data, setup_.length);
  reply_data_.assign(data.begin(), data.end());
  stage_ = Stage::kAnswered;
  Wake();
}

// The endpoints are as the request made them: the host uses them at once.
void RawGadget::SendReply() {
  stage_ = Stage::kNone;
  if (data_taken_) return;
  bool sent = true;
  if (reply_kind_ == ControlReply::Kind::kStall) {
    context_.file.StallControl();
  } else if (IsIn(setup_)) {
    sent = control_.Write(reply_data_, reply_data_.size() < setup_.length);
  } else {
    if (Configures(setup_)) context_.file.Configure(kPowerMa);
    sent = control_.Read(0);
  }
  if (!sent) Fail("the system has no thread left");
}

// ---- Endpoints --------------------------------------------------------------------------------

GadgetEndpoint* RawGadget::find(usb::EndpointAddress address) const {
  return endpoints_[address.index()].get();
}

bool RawGadget::settled() const {
  return std::all_of(endpoints_.begin(), endpoints_.end(), [](const auto& endpoint) {
    return endpoint == nullptr || endpoint->settled();
  });
}

void RawGadget::Enable(const usb::EndpointConfig& endpoint) {
  if (endpoint.type == usb::TransferType::kIsochronous) {
    return Fail("the device has isochronous endpoints, which raw-gadget cannot carry");
  }
  auto& made = endpoints_[endpoint.address.index()];
  if (made == nullptr) made = std::make_unique<GadgetEndpoint>(loop_, context_, endpoint.address);
  made->Enable(endpoint);
}

void RawGadget::Disable(usb::EndpointAddress endpoint) {
  if (GadgetEndpoint* found = find(endpoint)) found->Disable();
}

void RawGadget::Queue(usb::InRequest& request) {
  CHECK(request.endpoint.is_in());
  if (GadgetEndpoint* found = find(request.endpoint)) return found->Queue(request);
  CHECK(!request.queued);
  request.queued = true;
  request.data.Reset();
  request.length_actual = 0;
  request.ended_short = false;
  request.outcome = usb::Outcome::kCancelled;
  loop_.Post(request);
}

void RawGadget::Queue(usb::OutRequest& request) {
  CHECK(!request.endpoint.is_in());
  if (GadgetEndpoint* found = find(request.endpoint)) return found->Queue(request);
  CHECK(!request.queued);
  request.queued = true;
  request.lent = {};
  request.length_actual = 0;
  request.ended_short = false;
  request.outcome = usb::Outcome::kCancelled;
  loop_.Post(request);
}

void RawGadget::Release(usb::OutRequest& request) {
  GadgetEndpoint* found = find(request.endpoint);
  CHECK(found != nullptr);
  found->Release(request);
}

void RawGadget::CancelAll(usb::EndpointAddress endpoint) {
  if (GadgetEndpoint* found = find(endpoint)) found->CancelAll();
}

void RawGadget::SetHalt(usb::EndpointAddress endpoint, HaltState state) {
  if (GadgetEndpoint* found = find(endpoint)) found->SetHalt(state);
}

HaltState RawGadget::halt(usb::EndpointAddress endpoint) const {
  const GadgetEndpoint* found = find(endpoint);
  return found == nullptr ? HaltState::kNone : found->halt();
}

Result<std::unique_ptr<GadgetPort>, Failure> MakeGadgetPort(app::System& system,
                                                            const GadgetOptions& options) {
  auto* own = dynamic_cast<LinuxSystem*>(&system);
  CHECK(own != nullptr);
  Result<std::unique_ptr<RawGadget>, Failure> gadget = RawGadget::Make(own->loop(), options);
  if (!gadget) return gadget.error();
  return std::unique_ptr<GadgetPort>(std::move(*gadget));
}

}  // namespace usbtwin::os
