#include "sim/pipes.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace usbtwin::sim {

using async::SocketAccept;
using async::SocketConnect;
using async::SocketOutcome;
using async::SocketRead;
using async::SocketWrite;

// One direction: bytes on their way, and who waits at either side. A timer moves it on, so that
// nothing completes from inside a call and the Chooser decides what comes first.
class Direction final : public Timer {
 public:
  Direction(World& world, const PipesOptions& options) : world_(world), options_(options) {}
  ~Direction() {
    CHECK(read_ == nullptr);
    CHECK(write_ == nullptr);
    world_.Disarm(*this);
  }

  void Read(SocketRead& read) {
    CHECK(read_ == nullptr);
    CHECK(!read.room.empty());
    read_ = &read;
    Wake();
  }
  void Write(SocketWrite& write) {
    CHECK(write_ == nullptr);
    CHECK(!ended_);
    write_ = &write;
    write.length_actual = 0;
    Wake();
  }
  void CancelRead() {
    if (read_ != nullptr) EndRead(SocketOutcome::kCancelled, 0);
  }
  void CancelWrite() {
    if (write_ != nullptr) EndWrite(SocketOutcome::kCancelled);
  }
  // Its writer is done.
  void End() {
    ended_ = true;
    Wake();
  }
  // Its reader is gone: what is written now has nowhere to go.
  void Abandon() {
    abandoned_ = true;
    Wake();
  }
  void Break() {
    broken_ = true;
    first_ = bytes_.size();
    Wake();
  }
  void Silence() { silent_ = true; }
  bool holds_bytes() const { return first_ != bytes_.size(); }

 private:
  void Wake() {
    if (armed()) return;
    const uint64_t delay =
        options_.delay_max.count() == 0
            ? 0
            : world_.chooser().Choose(static_cast<uint64_t>(options_.delay_max.count()) + 1,
                                      "how late a piece arrives");
    world_.Arm(*this, world_.Now() + Duration(delay));
  }
  void HandleTimer() override {
    // What is silent does not tell that nobody is there.
    if (broken_ || (abandoned_ && !silent_)) {
      if (write_ != nullptr) EndWrite(SocketOutcome::kReset);
      if (broken_ && read_ != nullptr) return EndRead(SocketOutcome::kReset, 0);
    }
    Take();
    if (read_ == nullptr || silent_) return;
    if (holds_bytes()) return Give();
    if (ended_) EndRead(SocketOutcome::kEnd, 0);
  }
  // From the writer into the buffer, as far as there is room.
  void Take() {
    if (write_ == nullptr) return;
    if (first_ == bytes_.size() || first_ >= options_.buffer_length) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
    size_t skip = write_->length_actual;
    bool all = true;
    std::span<const Bytes> pieces = write_->pieces;
    if (write_->source != nullptr) pieces = write_->source->PiecesFrom(std::exchange(skip, 0));
    for (Bytes piece : pieces) {
      const size_t skipped = std::min(skip, piece.size());
      skip -= skipped;
      piece = piece.subspan(skipped);
      const Bytes part = usbtwin::Take(piece, RoomLeft());
      bytes_.insert(bytes_.end(), part.begin(), part.end());
      write_->length_actual += part.size();
      if (part.size() < piece.size()) {
        all = false;
        break;
      }
    }
    if (all) EndWrite(SocketOutcome::kOk);
  }
  // A silent connection still takes what its buffer holds: nobody has told the writer.
  size_t RoomLeft() const {
    return options_.buffer_length - std::min(options_.buffer_length, bytes_.size() - first_);
  }
  void Give() {
    const Bytes there = Bytes(bytes_).subspan(first_);
    size_t length = std::min(read_->room.size(), there.size());
    if (options_.split) length -= world_.chooser().Choose(length, "how many bytes come later");
    CopyBytes(read_->room, there.first(length));
    first_ += length;
    EndRead(SocketOutcome::kOk, length);
    if (write_ != nullptr) Wake();
  }
  void EndRead(SocketOutcome outcome, size_t length) {
    SocketRead& read = *std::exchange(read_, nullptr);
    read.outcome = outcome;
    read.length_actual = length;
    world_.Post(read);
  }
  void EndWrite(SocketOutcome outcome) {
    SocketWrite& write = *std::exchange(write_, nullptr);
    write.outcome = outcome;
    world_.Post(write);
  }

  World& world_;
  const PipesOptions& options_;
  std::vector<uint8_t> bytes_;
  size_t first_ = 0;  // of those that are still there
  SocketRead* read_ = nullptr;
  SocketWrite* write_ = nullptr;
  bool ended_ = false;
  bool abandoned_ = false;
  bool broken_ = false;
  bool silent_ = false;
};

class Pipes::Connection final : public Timer {
 public:
  explicit Connection(Pipes& pipes)
      : directions{Direction(pipes.world_, pipes.options_),
                   Direction(pipes.world_, pipes.options_)},
        pipes_(pipes) {
    ++pipes_.counts_.connections;
  }
  ~Connection() {
    pipes_.world_.Disarm(*this);
    if (!sound_) --pipes_.unsound_count_;
  }

  void MayBreak() {
    if (pipes_.Due(pipes_.reset_left_, pipes_.options_.reset_one_in,
                   "how long no connection breaks")) {
      ++pipes_.counts_.broken;
      Break();
    }
    if (!silent_ && pipes_.Due(pipes_.silence_left_, pipes_.options_.silence_one_in,
                               "how long no connection goes silent")) {
      ++pipes_.counts_.silenced;
      Spoil();
      silent_ = true;
      for (Direction& direction : directions) direction.Silence();
      if (pipes_.options_.keep_alive.count() != 0) {
        pipes_.world_.Arm(*this, pipes_.world_.Now() + pipes_.options_.keep_alive);
      }
    }
  }
  bool silent() const { return silent_; }

  std::array<Direction, 2> directions;

 private:
  void Spoil() {
    if (std::exchange(sound_, false)) ++pipes_.unsound_count_;
  }
  void Break() {
    Spoil();
    for (Direction& direction : directions) direction.Break();
  }
  void HandleTimer() override { Break(); }  // the peer does not say that it lives

  Pipes& pipes_;
  bool sound_ = true;
  bool silent_ = false;
};

// A choice of 0 is the longest time.
bool Pipes::Due(uint64_t& left, uint64_t one_in, std::string_view what) {
  if (one_in == 0 || calm_) return false;
  if (left == 0) left = 2 * one_in - 1 - world_.chooser().Choose(2 * one_in - 1, what);
  return --left == 0;
}

class Pipes::End final : public async::Socket {
 public:
  End(std::shared_ptr<Connection> connection, size_t side, std::string peer)
      : connection_(std::move(connection)), side_(side), peer_(std::move(peer)) {}
  ~End() override {
    // Bytes that nobody will read any more break the connection, as they do with TCP.
    if (in().holds_bytes() && !connection_->silent()) out().Break();
    if (!shut_down_) out().End();
    in().Abandon();
  }

  void Read(SocketRead& read) override {
    connection_->MayBreak();
    in().Read(read);
  }
  void Write(SocketWrite& write) override {
    CHECK(!shut_down_);
    connection_->MayBreak();
    out().Write(write);
  }
  void Cancel(SocketRead&) override { in().CancelRead(); }
  void Cancel(SocketWrite&) override { out().CancelWrite(); }
  void ShutDownWriting() override {
    shut_down_ = true;
    out().End();
  }
  const std::string& peer() const override { return peer_; }

 private:
  Direction& in() { return connection_->directions[1 - side_]; }
  Direction& out() { return connection_->directions[side_]; }

  const std::shared_ptr<Connection> connection_;  // both ends hold it
  const size_t side_;
  const std::string peer_;
  bool shut_down_ = false;
};

class Pipes::SimListener final : public async::Listener {
 public:
  SimListener(Pipes& pipes, std::string address) : pipes_(pipes), address_(std::move(address)) {}
  ~SimListener() override {
    CHECK(accept_ == nullptr);
    pipes_.listeners_.erase(address_);
  }
  void Accept(SocketAccept& accept) override {
    CHECK(accept_ == nullptr);
    accept_ = &accept;
    Serve();
  }
  void Cancel(SocketAccept&) override {
    if (accept_ == nullptr) return;
    SocketAccept& accept = *std::exchange(accept_, nullptr);
    accept.outcome = SocketOutcome::kCancelled;
    pipes_.world_.Post(accept);
  }
  const std::string& address() const override { return address_; }
  void Add(std::unique_ptr<async::Socket> socket) {
    waiting_.push_back(std::move(socket));
    Serve();
  }

 private:
  void Serve() {
    if (accept_ == nullptr || waiting_.empty()) return;
    SocketAccept& accept = *std::exchange(accept_, nullptr);
    accept.socket = std::move(waiting_.front());
    waiting_.pop_front();
    accept.outcome = SocketOutcome::kOk;
    pipes_.world_.Post(accept);
  }

  Pipes& pipes_;
  const std::string address_;
  std::deque<std::unique_ptr<async::Socket>> waiting_;
  SocketAccept* accept_ = nullptr;
};

Pipes::~Pipes() {
  CHECK(listeners_.empty());
}

std::pair<std::unique_ptr<async::Socket>, std::unique_ptr<async::Socket>> Pipes::MakePair() {
  const auto connection = std::make_shared<Connection>(*this);
  return {std::make_unique<End>(connection, 0, "pipe:1"),
          std::make_unique<End>(connection, 1, "pipe:0")};
}

void Pipes::Connect(SocketConnect& connect) {
  const auto listener = listeners_.find(connect.address);
  if (listener == listeners_.end()) {
    connect.outcome = SocketOutcome::kRefused;
    connect.why = "cannot connect to " + connect.address + ": nobody listens there";
  } else {
    const auto connection = std::make_shared<Connection>(*this);
    connect.socket = std::make_unique<End>(connection, 0, connect.address);
    connect.outcome = SocketOutcome::kOk;
    listener->second->Add(std::make_unique<End>(connection, 1, "pipe:client"));
  }
  world_.Post(connect);
}

// It was decided when it was asked for.
void Pipes::Cancel(SocketConnect&) {}

Result<std::unique_ptr<async::Listener>, async::SocketError> Pipes::Listen(
    const std::string& address) {
  if (listeners_.contains(address)) {
    return async::SocketError{ErrorKind::kBusy,
                              "cannot listen at " + address + ": somebody else does"};
  }
  auto listener = std::make_unique<SimListener>(*this, address);
  listeners_[address] = listener.get();
  return std::unique_ptr<async::Listener>(std::move(listener));
}

}  // namespace usbtwin::sim
