#include "os/linux/gadget_endpoint.h"

#include <algorithm>
#include <cerrno>

namespace usbtwin::os {

using emulator::HaltState;
using usb::InRequest;
using usb::Outcome;
using usb::OutRequest;

namespace {

// Bytes of one transfer, and of one call. Each call is a turn of the controller, so long calls are
// what makes it fast; the kernel wants them in one piece of memory, and some kernels take no more
// than a page. Multiples of every packet size.
constexpr uint32_t kTransferLengthMax = 1 << 20;
constexpr uint32_t kCallLengthMax = 128 << 10;
constexpr uint32_t kCallLengthMin = 4096;
constexpr Duration kHaltAgain = std::chrono::milliseconds(1);

}  // namespace

GadgetEndpoint::GadgetEndpoint(Loop& loop, GadgetContext& context, usb::EndpointAddress address)
    : BlockingCall(loop), context_(context), address_(address), call_length_max_(kCallLengthMax) {}

GadgetEndpoint::~GadgetEndpoint() {
  CHECK(borrower_ == nullptr);
  loop().Disarm(halt_timer_);
}

void GadgetEndpoint::Enable(const usb::EndpointConfig& endpoint) {
  if (wanted_) Disable();
  wanted_ = endpoint;
  halt_ = HaltState::kNone;
  halt_due_ = false;
  resetting_ = handle_ >= 0;
  Settle();
}

void GadgetEndpoint::Disable() {
  if (!wanted_) return;
  wanted_.reset();
  halt_ = HaltState::kNone;
  halt_due_ = false;
  CancelList(ins_);
  CancelList(outs_);
  resetting_ = handle_ >= 0;
  Settle();
}

void GadgetEndpoint::Forget() {
  CHECK(!away());
  CHECK(!wanted_);
  handle_ = -1;
  resetting_ = false;
  halt_of_kernel_ = HaltState::kNone;
  call_length_max_ = kCallLengthMax;
}

// ---- Requests ---------------------------------------------------------------------------------

template <class Request>
void GadgetEndpoint::Finish(Request& request, Outcome outcome, bool ended_short) {
  if (request.linked()) request.Unlink();
  if constexpr (std::is_same_v<Request, InRequest>) request.data.Reset();
  request.outcome = outcome;
  request.ended_short = ended_short;
  loop().Post(request);
}

template <class Request>
bool GadgetEndpoint::Accept(Request& request) {
  CHECK(!request.queued);
  request.queued = true;
  request.length_actual = 0;
  if (wanted_) return true;
  Finish(request, Outcome::kCancelled, false);
  return false;
}

void GadgetEndpoint::Queue(InRequest& request) {
  if (!Accept(request)) return;
  ins_.PushBack(request);
  Settle();
}

void GadgetEndpoint::Queue(OutRequest& request) {
  CHECK(borrower_ != &request);
  CHECK_NE(request.length_max, 0u);
  CHECK(request.room.empty() || request.room.size() == request.length_max);
  request.lent = {};
  if (!Accept(request)) return;
  outs_.PushBack(request);
  Settle();
}

void GadgetEndpoint::Release(OutRequest& request) {
  CHECK(borrower_ == &request);
  borrower_ = nullptr;
  request.lent = {};
  Settle();
}

template <class Request>
void GadgetEndpoint::CancelList(IntrusiveList<Request>& requests) {
  if (requests.empty()) return;
  while (!requests.empty()) Finish(requests.front(), Outcome::kCancelled, false);
  if (!away()) return;
  abandoned_ = true;
  Interrupt();
}

void GadgetEndpoint::CancelAll() {
  CancelList(ins_);
  CancelList(outs_);
  if (!address_.is_in() || !context_.keeps_cancelled || handle_ < 0) return;
  resetting_ = true;
  halt_due_ = halt_ != HaltState::kNone;
  Settle();
}

// ---- The kernel's endpoint --------------------------------------------------------------------

void GadgetEndpoint::SetHalt(HaltState state) {
  if (!wanted_) return;
  halt_ = state;
  halt_due_ = true;
  Interrupt();
  Settle();
}

void GadgetEndpoint::Settle() {
  if (away() || !context_.file) return;
  SetUp();
  if (handle_ >= 0 && halt_due_) TryHalt();
  if (handle_ >= 0 && !halt_due_) Start();
  context_.changed();
}

void GadgetEndpoint::SetUp() {
  if (resetting_) {
    context_.file.Disable(handle_);
    handle_ = -1;
    resetting_ = false;
    halt_of_kernel_ = HaltState::kNone;
  }
  if (!wanted_ || handle_ >= 0) return;
  handle_ = context_.file.Enable(*wanted_);
  if (handle_ >= 0) return;
  const int error = -handle_;
  handle_ = -1;
  wanted_.reset();
  CancelList(ins_);
  CancelList(outs_);
  // Shut down underneath: the host has reset the bus again or is gone, and an event will say so.
  if (error != ESHUTDOWN) context_.refused(error, address_.value);
}

void GadgetEndpoint::TryHalt() {
  loop().Disarm(halt_timer_);
  int result = 0;
  // Some controllers take a halt for a wedge that is there already.
  const bool lifts = halt_ == HaltState::kNone || halt_of_kernel_ == HaltState::kWedged;
  if (lifts && halt_ != HaltState::kWedged) result = context_.file.ClearHalt(handle_);
  if (halt_ == HaltState::kHalted) result = context_.file.SetHalt(handle_);
  if (halt_ == HaltState::kWedged) result = context_.file.SetWedge(handle_);
  if (result == -EAGAIN) {
    halt_of_kernel_ = lifts ? HaltState::kNone : halt_of_kernel_;
    return loop().Arm(halt_timer_, loop().Now() + kHaltAgain);
  }
  halt_of_kernel_ = halt_;
  halt_due_ = false;
}

// ---- Transfers --------------------------------------------------------------------------------

uint32_t GadgetEndpoint::WholePackets(uint32_t length) const {
  const uint32_t packet = wanted_->packet_size_max;
  return (length + packet - 1) / packet * packet;
}

void GadgetEndpoint::Start() {
  moved_ = 0;
  ended_ = false;
  error_ = 0;
  if (address_.is_in() ? !StartIn() : !StartOut()) return;
  if (Submit()) return;
  // No thread to be had: to the device it is a host that does not answer.
  CancelList(ins_);
  CancelList(outs_);
}

bool GadgetEndpoint::StartIn() {
  if (ins_.empty()) return false;
  InRequest& request = ins_.front();
  const uint32_t left = request.data.length() - request.length_actual;
  length_ = std::min(left, kTransferLengthMax);
  zero_packet_ = request.ends_short && length_ == left;
  if (buffer_.size() < kHeaderLength + length_) buffer_.resize(kHeaderLength + length_);
  if (length_ != 0) {
    request.data.CopyTo(MutableBytes(buffer_).subspan(kHeaderLength, length_),
                        request.length_actual);
  }
  return true;
}

bool GadgetEndpoint::StartOut() {
  if (outs_.empty() || borrower_ != nullptr) return false;
  OutRequest& request = outs_.front();
  const uint32_t left = request.length_max - request.length_actual;
  // Bytes that are lent are the first that come: those of one call.
  const uint32_t length_max = request.room.empty() ? call_length_max_ : kTransferLengthMax;
  length_ = WholePackets(std::min(left, length_max));
  if (buffer_.size() < kHeaderLength + length_) buffer_.resize(kHeaderLength + length_);
  return true;
}

void GadgetEndpoint::Work() {
  do {
    const uint32_t length = std::min(length_ - moved_, call_length_max_);
    const bool final = moved_ + length == length_;
    const int result = interrupted() ? -EINTR : Move(moved_, length, final && zero_packet_);
    const bool too_long = result == -EINVAL || result == -ENOMEM;
    if (too_long && length > kCallLengthMin) {
      call_length_max_ = std::max(kCallLengthMin, length / 2 / kCallLengthMin * kCallLengthMin);
      continue;
    }
    if (result < 0) {
      error_ = -result;
      return;
    }
    moved_ += static_cast<uint32_t>(result);
    ended_ = static_cast<uint32_t>(result) < length;
  } while (moved_ < length_ && !ended_);
}

// The header lies where the bytes before it were, which have moved already.
int GadgetEndpoint::Move(size_t offset, uint32_t length, bool zero_packet) {
  std::array<uint8_t, kHeaderLength> kept{};
  uint8_t* const place = buffer_.data() + offset;
  std::copy_n(place, kept.size(), kept.begin());
  RawIoHeader header = {};
  header.ep = static_cast<__u16>(handle_);
  header.flags = zero_packet ? USB_RAW_IO_FLAGS_ZERO : 0;
  header.length = length;
  std::memcpy(place, &header, sizeof(header));
  auto& in_place = *reinterpret_cast<RawIoHeader*>(place);
  const int result =
      address_.is_in() ? context_.file.Write(in_place) : context_.file.Read(in_place);
  std::copy(kept.begin(), kept.end(), place);
  return result;
}

void GadgetEndpoint::HandleHome() {
  // An interrupt that came too late has moved bytes of a request that is gone: they are, too.
  if (!std::exchange(abandoned_, false)) {
    if (address_.is_in() && !ins_.empty()) HandleMoved(ins_.front());
    if (!address_.is_in() && !outs_.empty()) HandleMoved(outs_.front());
  }
  Settle();
  context_.changed();
}

void GadgetEndpoint::HandleMoved(InRequest& request) {
  request.length_actual += moved_;
  if (error_ == EINTR) return;  // a halt comes first
  if (error_ != 0) return Finish(request, Outcome::kCancelled, false);
  if (ended_) return Finish(request, Outcome::kOverflow, true);
  if (request.length_actual < request.data.length()) return;
  const uint32_t packet = wanted_->packet_size_max;
  const bool short_packet = length_ == 0 || length_ % packet != 0;
  Finish(request, Outcome::kOk, short_packet || request.ends_short);
}

void GadgetEndpoint::HandleMoved(OutRequest& request) {
  const Bytes bytes = Bytes(buffer_).subspan(kHeaderLength, moved_);
  const uint32_t room = request.length_max - request.length_actual;
  const Bytes taken = Take(bytes, room);
  if (!request.room.empty()) CopyBytes(request.room.subspan(request.length_actual), taken);
  request.length_actual += static_cast<uint32_t>(taken.size());
  if (error_ == EINTR && request.length_actual == 0) return;
  if (error_ != 0 && error_ != EINTR) return Finish(request, Outcome::kCancelled, false);
  const bool overflowed = bytes.size() > room;
  const bool more = request.length_actual < request.length_max && !ended_;
  if (more && !request.room.empty()) return;
  if (request.room.empty() && !taken.empty()) {
    request.lent = taken;
    borrower_ = &request;
  }
  Finish(request, overflowed ? Outcome::kOverflow : Outcome::kOk, overflowed || ended_);
}

}  // namespace usbtwin::os
