// The server's end of a connection of which a test sees every piece that is written, and where it
// lies. It takes as many bytes as the test allows.
#pragma once

#include <vector>

#include "async/socket.h"
#include "tests/async/usbip_messages.h"

namespace usbtwin::tests {

class TightSocket final : public async::Socket {
 public:
  explicit TightSocket(Clock& clock) : clock_(clock) {}
  ~TightSocket() override {
    CHECK(read_ == nullptr);
    CHECK(write_ == nullptr);
  }
  void Read(async::SocketRead& read) override {
    read_ = &read;
    Give();
  }
  void Write(async::SocketWrite& write) override {
    CHECK(write.source != nullptr);
    write.length_actual = 0;
    write_ = &write;
    Take(0);
  }
  void Cancel(async::SocketRead&) override { EndRead(async::SocketOutcome::kCancelled); }
  void Cancel(async::SocketWrite&) override { EndWrite(async::SocketOutcome::kCancelled); }
  void ShutDownWriting() override {}
  const std::string& peer() const override { return peer_; }

  void Say(const Message& bytes) {
    said_.insert(said_.end(), bytes.begin(), bytes.end());
    Give();
  }
  void Leave() {
    left_ = true;
    Give();
  }
  // Takes so many more bytes, now or when there are some.
  void Take(size_t length) {
    allowed_ += length;
    if (write_ == nullptr) return;
    std::span<const Bytes> pieces = write_->source->PiecesFrom(write_->length_actual);
    size_t left = 0;
    for (Bytes piece : pieces) left += piece.size();
    size_t taken_now = 0;
    for (Bytes piece : pieces) {
      const Bytes part = usbtwin::Take(piece, allowed_);
      if (!part.empty()) places.push_back(part);
      taken.insert(taken.end(), part.begin(), part.end());
      allowed_ -= part.size();
      taken_now += part.size();
    }
    write_->length_actual += taken_now;
    if (taken_now == left) EndWrite(async::SocketOutcome::kOk);
  }
  void TakeNothing() { allowed_ = 0; }
  bool writing() const { return write_ != nullptr; }

  Message taken;
  std::vector<Bytes> places;  // where it was taken from

 private:
  void Give() {
    if (read_ == nullptr || (said_.empty() && !left_)) return;
    if (said_.empty()) return EndRead(async::SocketOutcome::kEnd);
    const size_t length = CopyBytes(read_->room, said_);
    said_.erase(said_.begin(), said_.begin() + static_cast<ptrdiff_t>(length));
    read_->length_actual = length;
    EndRead(async::SocketOutcome::kOk);
  }
  void EndRead(async::SocketOutcome outcome) {
    if (read_ == nullptr) return;
    read_->outcome = outcome;
    clock_.Post(*std::exchange(read_, nullptr));
  }
  void EndWrite(async::SocketOutcome outcome) {
    if (write_ == nullptr) return;
    write_->outcome = outcome;
    clock_.Post(*std::exchange(write_, nullptr));
  }

  Clock& clock_;
  const std::string peer_ = "test:tight";
  async::SocketRead* read_ = nullptr;
  async::SocketWrite* write_ = nullptr;
  Message said_;
  bool left_ = false;
  size_t allowed_ = 0;
};

}  // namespace usbtwin::tests
