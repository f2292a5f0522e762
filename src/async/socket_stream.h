// The two directions of a socket as protocols of messages use them. SocketReader reads ahead into
// a buffer, so that many small messages cost one call, and lets large payloads go straight to where
// they belong. SocketWriter gathers what is queued into as few writes as there are wake-ups,
// without copying a byte. Both hand each problem to their owner once, and are quiet afterwards.
#pragma once

#include <vector>

#include "async/socket.h"

namespace usbtwin::async {

class SocketReader final : private usb::Sink<SocketRead> {
 public:
  class Client {
   public:
    // Fill() or FillInto() has ended: look at buffered() again. `length` bytes went into the room
    // of a FillInto.
    virtual void HandleInput(size_t length) = 0;
    // There is no more: kEnd, kReset, kFault or, after Stop, kCancelled.
    virtual void HandleInputEnd(SocketOutcome outcome) = 0;

   protected:
    ~Client() = default;
  };

  SocketReader(Socket& socket, Client& client, size_t buffer_length)
      : socket_(socket), client_(client), buffer_(buffer_length) {}
  ~SocketReader() { CHECK(!reading_); }

  Bytes buffered() const { return Bytes(buffer_).subspan(first_, last_ - first_); }
  void Take(size_t length) {
    CHECK_LE(length, last_ - first_);
    first_ += length;
    if (first_ == last_) first_ = last_ = 0;
  }
  // Reads more behind what is buffered; there is room for it.
  void Fill();
  // Reads into `room`, which is not empty, because nothing is buffered. Borrowed until the answer.
  void FillInto(MutableBytes room);
  bool reading() const { return reading_; }
  void Stop() {
    if (reading_) socket_.Cancel(read_);
  }

 private:
  void OnDone(SocketRead& read, uint64_t word) override;
  void Start(MutableBytes room, bool buffer);

  Socket& socket_;
  Client& client_;
  std::vector<uint8_t> buffer_;
  size_t first_ = 0;
  size_t last_ = 0;
  SocketRead read_;
  bool reading_ = false;
};

// A message that waits to be written.
class Outgoing : public ListNode {
 public:
  // Where its bytes are now. Asked once or more, until HandleSent; always the same bytes.
  virtual void AppendPieces(std::vector<Bytes>& pieces) const = 0;
  // Written whole, or never to be written: it is nobody's now.
  virtual void HandleSent() = 0;

 protected:
  ~Outgoing() = default;

 private:
  friend class SocketWriter;
  size_t length_ = 0;  // as it was queued
};

class SocketWriter final : private usb::Sink<SocketWrite>, private PieceSource, private Deferred {
 public:
  class Client {
   public:
    // A write has ended, and with it its messages.
    virtual void HandleOutput() = 0;
    // Nothing will be written any more; what was queued has been given back.
    virtual void HandleOutputEnd(SocketOutcome outcome) = 0;

   protected:
    ~Client() = default;
  };

  SocketWriter(Clock& clock, Socket& socket, Client& client)
      : clock_(clock), socket_(socket), client_(client) {}
  ~SocketWriter();

  // `length` is that of its pieces. Written later in this turn, together with what comes
  // until nothing else is posted.
  void Queue(Outgoing& message, size_t length);
  size_t length() const { return length_; }  // bytes queued and not yet written
  bool idle() const { return length_ == 0 && !writing_; }
  // Ends the write under way and gives everything back. HandleOutputEnd follows, but for one that
  // was given before.
  void Stop();

 private:
  static constexpr int kDeferralsMax = 64;  // then what is there is written
  // Of one write, whose messages are given back together: what a peer who reads slowly can hold.
  static constexpr size_t kBatchMax = 128;              // messages
  static constexpr size_t kBatchLengthMax = 256 << 10;  // bytes, but for the first message

  void Run() override;
  void OnDone(SocketWrite& write, uint64_t word) override;
  std::span<const Bytes> PiecesFrom(size_t offset) override;
  void GiveBack(IntrusiveList<Outgoing>& messages);
  void End(SocketOutcome outcome);

  Clock& clock_;
  Socket& socket_;
  Client& client_;
  IntrusiveList<Outgoing> queue_;
  IntrusiveList<Outgoing> batch_;  // being written
  std::vector<Bytes> pieces_;
  SocketWrite write_;
  size_t length_ = 0;
  int deferrals_ = 0;
  bool writing_ = false;
  bool ended_ = false;
  bool stopping_ = false;
};

}  // namespace usbtwin::async
