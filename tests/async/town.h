// Sockets of a simulated world whose peers come from where a test says.
#pragma once

#include "sim/pipes.h"

namespace usbtwin::tests {

class Town final : public async::SocketProvider {
 public:
  explicit Town(sim::World& world, const sim::PipesOptions& options = {})
      : pipes_(world, options) {}
  void Connect(async::SocketConnect& connect) override { pipes_.Connect(connect); }
  void Cancel(async::SocketConnect& connect) override { pipes_.Cancel(connect); }
  Result<std::unique_ptr<async::Listener>, async::SocketError> Listen(
      const std::string& address) override {
    auto inner = pipes_.Listen(address);
    if (!inner) return inner.error();
    return std::unique_ptr<async::Listener>(std::make_unique<Door>(*this, std::move(*inner)));
  }
  auto MakePair() { return pipes_.MakePair(); }
  std::string from;  // whom the next socket that is accepted belongs to; "": as the pipe has it

 private:
  class Named final : public async::Socket {
   public:
    Named(std::unique_ptr<async::Socket> inner, std::string peer)
        : inner_(std::move(inner)), peer_(std::move(peer)) {}
    void Read(async::SocketRead& read) override { inner_->Read(read); }
    void Write(async::SocketWrite& write) override { inner_->Write(write); }
    void Cancel(async::SocketRead& read) override { inner_->Cancel(read); }
    void Cancel(async::SocketWrite& write) override { inner_->Cancel(write); }
    void ShutDownWriting() override { inner_->ShutDownWriting(); }
    const std::string& peer() const override { return peer_; }

   private:
    const std::unique_ptr<async::Socket> inner_;
    const std::string peer_;
  };
  class Door final : public async::Listener, private usb::Sink<async::SocketAccept> {
   public:
    Door(Town& town, std::unique_ptr<async::Listener> inner)
        : town_(town), inner_(std::move(inner)) {}
    void Accept(async::SocketAccept& accept) override {
      accept.Push(*this);
      inner_->Accept(accept);
    }
    void Cancel(async::SocketAccept& accept) override { inner_->Cancel(accept); }
    const std::string& address() const override { return inner_->address(); }

   private:
    void OnDone(async::SocketAccept& accept, uint64_t) override {
      if (accept.outcome == async::SocketOutcome::kOk && !town_.from.empty()) {
        accept.socket = std::make_unique<Named>(std::move(accept.socket), town_.from);
      }
      accept.Complete();
    }
    Town& town_;
    const std::unique_ptr<async::Listener> inner_;
  };
  sim::Pipes pipes_;
};

}  // namespace usbtwin::tests
