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

}  // namespace usbtwin::async
