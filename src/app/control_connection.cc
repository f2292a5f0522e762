#include "app/control_connection.h"

#include "async/perform_socket.h"

namespace usbtwin::app {
namespace {

constexpr size_t kRequestMax = 64 << 10;                     // bytes of a line
constexpr Duration kRequestTime = std::chrono::seconds(10);  // to take a reply and ask again

}  // namespace

ControlConnection::ControlConnection(Clock& clock, const Owner& owner,
                                     std::unique_ptr<async::Socket> socket)
    : clock_(clock), owner_(owner), socket_(std::move(socket)) {
  job_.emplace(clock_, Serve());
}

void ControlConnection::StartDeadline() {
  clock_.Arm(*this, clock_.Now() + kRequestTime);
}

void ControlConnection::HandleTimer() {
  owner_.log("the control socket: no whole request within 10 s; closed");
  Stop();
}

async::Task<Result<void>> ControlConnection::Serve() {
  StartDeadline();
  std::string received;
  std::array<uint8_t, 4096> room;
  async::SocketRead read;
  async::SocketWrite write;
  while (true) {
    const size_t end = received.find('\n');
    if (end == std::string::npos) {
      if (received.size() > kRequestMax) break;
      read.room = room;
      const async::SocketOutcome outcome = co_await async::PerformRead(*socket_, read);
      if (outcome != async::SocketOutcome::kOk) break;
      received.append(room.begin(), room.begin() + static_cast<ptrdiff_t>(read.length_actual));
      continue;
    }
    std::string line = received.substr(0, end);
    received.erase(0, end + 1);
    clock_.Disarm(*this);  // opening a device takes the time it takes
    const std::string reply = co_await owner_.answer(std::move(line));
    StartDeadline();
    const Bytes piece = TextBytes(reply);
    write.pieces = std::span(&piece, 1);
    const async::SocketOutcome outcome = co_await async::PerformWrite(*socket_, write);
    if (outcome != async::SocketOutcome::kOk) break;
  }
  clock_.Disarm(*this);
  socket_.reset();  // who waits for an answer hears that there is none
  co_return Result<void>();
}

}  // namespace usbtwin::app
