#include "async/socket.h"

namespace usbtwin::async {

const char* Name(SocketOutcome outcome) {
  switch (outcome) {
    case SocketOutcome::kPending: return "pending";
    case SocketOutcome::kOk: return "ok";
    case SocketOutcome::kEnd: return "end";
    case SocketOutcome::kReset: return "reset";
    case SocketOutcome::kCancelled: return "cancelled";
    case SocketOutcome::kRefused: return "refused";
    case SocketOutcome::kFault: return "fault";
  }
  return "?";
}

void NoSockets::Connect(SocketConnect& connect) {
  connect.outcome = SocketOutcome::kFault;
  connect.why = "cannot connect to " + connect.address + ": there are no sockets here";
  clock_.Post(connect);
}

Result<std::unique_ptr<Listener>, SocketError> NoSockets::Listen(const std::string& address) {
  return SocketError{ErrorKind::kUnsupported,
                     "cannot listen at " + address + ": there are no sockets here"};
}

}  // namespace usbtwin::async
