#include "host/control.h"

namespace usbtwin::host {

using usb::Outcome;

namespace {

constexpr size_t kDataLengthMax = 0xffff;  // wLength has 16 bits

bool IsIn(const ControlRequest& request) {
  return (request.request_type & wire::usb::kDirectionIn) != 0;
}

usb::SetupPacket Setup(const ControlRequest& request) {
  const size_t length = IsIn(request) ? request.in.size() : request.out.size();
  return {.request_type = request.request_type,
          .request = request.request,
          .value = request.value,
          .index = request.index,
          .length = static_cast<uint16_t>(length)};
}

std::optional<Error> Refuse(const ControlRequest& request) {
  const size_t used = IsIn(request) ? request.in.size() : request.out.size();
  const size_t unused = IsIn(request) ? request.out.size() : request.in.size();
  if (used > kDataLengthMax) {
    return Error{.kind = ErrorKind::kInvalid,
                 .phase = Phase::kControl,
                 .text = "a control request of {} bytes, at most {}",
                 .values = {used, kDataLengthMax}};
  }
  if (unused != 0) {
    return Error{.kind = ErrorKind::kInvalid,
                 .phase = Phase::kControl,
                 .text = "{} bytes against the direction of the control request",
                 .values = {unused}};
  }
  return std::nullopt;
}

constexpr Error kBusyError{.kind = ErrorKind::kBusy,
                           .phase = Phase::kControl,
                           .text = "another control request is under way"};

}  // namespace

Error OutcomeError(Outcome outcome, Phase phase, uint64_t length, const char* text) {
  return {.kind = usb::KindOf(outcome), .phase = phase, .length_actual = length, .text = text};
}

async::Task<Result<uint32_t>> Control::Transfer(ControlRequest request) {
  if (const std::optional<Error> refusal = Refuse(request)) co_return *refusal;
  const usb::SetupPacket setup = Setup(request);
  if (const std::optional<usb::PortRequest> port = usb::AsPortRequest(setup)) {
    const Result<void> done = co_await Request(*port);
    if (!done) co_return done.error();
    co_return uint32_t{0};
  }
  if (busy_) co_return kBusyError;
  busy_ = true;
  timed_out_ = false;
  transfer_.setup = setup;
  transfer_.out = request.out;
  transfer_.in = request.in;
  transfer_.in_length_max = static_cast<uint32_t>(request.in.size());
  clock_.Arm(*this, clock_.Now() + request.timeout);
  Outcome outcome = co_await async::Perform(link_, transfer_);
  clock_.Disarm(*this);
  busy_ = false;
  if (outcome == Outcome::kCancelled && timed_out_) outcome = Outcome::kTimedOut;
  const uint32_t length = transfer_.length_actual;
  if (outcome != Outcome::kOk) co_return OutcomeError(outcome, Phase::kControl, length, "");
  if (length > setup.length) {
    co_return Error{.kind = ErrorKind::kProtocol,
                    .phase = Phase::kControl,
                    .text = "{} bytes moved, {} were asked for",
                    .values = {length, setup.length}};
  }
  co_return length;
}

async::Task<Result<void>> Control::Request(usb::PortRequest request) {
  if (busy_) co_return kBusyError;
  busy_ = true;
  port_op_.request = request;
  const Outcome outcome = co_await async::PerformPort(link_, port_op_);
  busy_ = false;
  if (outcome != Outcome::kOk) {
    co_return OutcomeError(outcome, Phase::kControl, 0, usb::Name(port_op_.request));
  }
  co_return Result<void>();
}

void Control::HandleTimer() {
  timed_out_ = true;
  link_.Cancel(transfer_);
}

}  // namespace usbtwin::host
