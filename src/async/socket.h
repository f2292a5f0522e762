// Sockets as the floors above the engines see them: byte streams that somebody connects, listens
// for, reads and writes. Real ones are made in src/os, those of a simulated world in src/sim. The
// same idiom as transfers: an operation is handed over, completes exactly once, and never from
// inside the call that took it.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "usb/operation.h"

namespace usbtwin::async {

enum class SocketOutcome : uint8_t {
  kPending,    // not completed
  kOk,         // a read: at least one byte; a write: all of them
  kEnd,        // a read: the peer writes no more
  kReset,      // the connection broke, or the peer closed while there was more for it to read
  kCancelled,  // by Cancel, or because the socket was closed
  kRefused,    // nobody listens there
  kFault,      // the system failed
};
const char* Name(SocketOutcome outcome);  // "reset"

class SocketRead final : public usb::Operation<SocketRead> {
 public:
  MutableBytes room;  // borrowed until OnDone; not empty

  SocketOutcome outcome = SocketOutcome::kPending;
  size_t length_actual = 0;  // bytes read: 1 to room.size()
};

// Where the bytes of a write are, asked anew each time some are about to be taken: for bytes that
// their owner may move between two such times, as a lease's (base/lease.h).
class PieceSource {
 public:
  // What follows the first `offset` bytes. Valid until the next call.
  virtual std::span<const Bytes> PiecesFrom(size_t offset) = 0;

 protected:
  ~PieceSource() = default;
};

class SocketWrite final : public usb::Operation<SocketWrite> {
 public:
  std::span<const Bytes> pieces;  // borrowed until OnDone, and so are the bytes
  PieceSource* source = nullptr;  // instead of `pieces`, which is then not looked at

  SocketOutcome outcome = SocketOutcome::kPending;
  size_t length_actual = 0;  // bytes taken; of a write that failed it is not known how many arrived
};

// One end of a connection. At most one read and one write at a time. Destroyed only when neither is
// under way; that closes it, and the peer reads what was written, then kEnd.
class Socket {
 public:
  virtual ~Socket() = default;
  virtual void Read(SocketRead& read) = 0;
  virtual void Write(SocketWrite& write) = 0;
  // The operation still completes: kCancelled, or as was already decided.
  virtual void Cancel(SocketRead& read) = 0;
  virtual void Cancel(SocketWrite& write) = 0;
  // Nothing will be written any more; reading goes on. No write is under way.
  virtual void ShutDownWriting() = 0;
  virtual const std::string& peer() const = 0;  // "127.0.0.1:3240"
};

class SocketConnect final : public usb::Operation<SocketConnect> {
 public:
  std::string address;

  SocketOutcome outcome = SocketOutcome::kPending;
  std::unique_ptr<Socket> socket;  // where the outcome is kOk
  std::string why;                 // elsewhere: what went wrong, where, and what to do about it
  bool looking_up = false;         // where it is kCancelled: while a name was being looked up
};

// kFault: for now nobody can be let in, `why` says for want of what. The listener is open all the
// same, tells this once, and holds the next accept back until it can be done.
class SocketAccept final : public usb::Operation<SocketAccept> {
 public:
  SocketOutcome outcome = SocketOutcome::kPending;
  std::unique_ptr<Socket> socket;  // where the outcome is kOk
  std::string why;                 // where it is kFault
};

// Waits for connections at one address; one accept at a time. Closed by destroying it.
class Listener {
 public:
  virtual ~Listener() = default;
  virtual void Accept(SocketAccept& accept) = 0;
  virtual void Cancel(SocketAccept& accept) = 0;
  virtual const std::string& address() const = 0;  // with the port that was really taken
};

// Why there is no listener: for a program, and as a sentence that names the address and says what
// to do next.
struct SocketError {
  ErrorKind kind = ErrorKind::kFault;  // kBusy, kDenied, kInvalid, kNotFound, kUnsupported, kFault
  std::string text;
};

// Where sockets come from. Addresses are the provider's business: "host:port", "unix:path".
// Outlives what it made.
class SocketProvider {
 public:
  virtual ~SocketProvider() = default;
  virtual void Connect(SocketConnect& connect) = 0;
  virtual void Cancel(SocketConnect& connect) = 0;
  virtual Result<std::unique_ptr<Listener>, SocketError> Listen(const std::string& address) = 0;
};

// For a system that has none: refuses everything.
class NoSockets final : public SocketProvider {
 public:
  explicit NoSockets(Clock& clock) : clock_(clock) {}
  void Connect(SocketConnect& connect) override;
  void Cancel(SocketConnect&) override {}  // it was decided at once
  Result<std::unique_ptr<Listener>, SocketError> Listen(const std::string& address) override;

 private:
  Clock& clock_;
};

}  // namespace usbtwin::async
