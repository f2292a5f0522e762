// An end of a connection that says what a test tells it to, and keeps all that it hears.
#pragma once

#include <deque>

#include "async/socket.h"
#include "tests/async/usbip_messages.h"

namespace usbtwin::tests {

class RawPeer final : private usb::Sink<async::SocketRead>, private usb::Sink<async::SocketWrite> {
 public:
  explicit RawPeer(std::unique_ptr<async::Socket> socket_in) : socket(std::move(socket_in)) {}

  // Sent in order. Nothing is heard before Listen.
  void Send(Message bytes) {
    unsent_.push_back(std::move(bytes));
    if (!writing) Write();
  }
  void Listen() {
    if (reading || ended) return;
    reading = true;
    read_.outcome = async::SocketOutcome::kPending;
    read_.room = room_;
    read_.Push(*this);
    socket->Read(read_);
  }
  void Stop() {
    stalled = true;
    unsent_.clear();
    if (reading) socket->Cancel(read_);
    if (writing) socket->Cancel(write_);
  }
  bool idle() const { return !reading && !writing; }

  std::unique_ptr<async::Socket> socket;
  Message received;
  bool reading = false;
  bool writing = false;
  bool ended = false;  // there is nothing more to hear
  async::SocketOutcome outcome = async::SocketOutcome::kOk;
  bool stalled = false;  // hears nothing more for now

 private:
  void Write() {
    writing = true;
    piece_ = unsent_.front();
    write_.pieces = std::span(&piece_, 1);
    write_.outcome = async::SocketOutcome::kPending;
    write_.length_actual = 0;
    write_.Push(*this);
    socket->Write(write_);
  }
  void OnDone(async::SocketRead& read, uint64_t) override {
    reading = false;
    if (read.outcome != async::SocketOutcome::kOk) {
      ended = read.outcome != async::SocketOutcome::kCancelled;
      outcome = read.outcome;
      return;
    }
    received.insert(received.end(), room_.begin(),
                    room_.begin() + static_cast<ptrdiff_t>(read.length_actual));
    if (!stalled) Listen();
  }
  void OnDone(async::SocketWrite& write, uint64_t) override {
    writing = false;
    if (unsent_.empty()) return;
    unsent_.pop_front();
    if (write.outcome == async::SocketOutcome::kOk && !unsent_.empty()) Write();
  }

  std::array<uint8_t, 4096> room_{};
  async::SocketRead read_;
  async::SocketWrite write_;
  Bytes piece_;
  std::deque<Message> unsent_;
};

}  // namespace usbtwin::tests
