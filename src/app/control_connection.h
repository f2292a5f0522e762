// ControlConnection: one program that asks an Exporter for something, in lines. Its chain ends when
// the program has left, when it is told to, or when the next whole request does not come in time:
// who is silent takes nobody's place for long. While a request is carried out no time runs, and
// other connections are served.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "async/socket.h"
#include "async/task.h"

namespace usbtwin::app {

class ControlConnection final : private Timer {
 public:
  // Both outlive it.
  struct Owner {
    std::function<async::Task<std::string>(std::string line)> answer;  // with its newline
    std::function<void(const std::string& line)> log;
  };

  ControlConnection(Clock& clock, const Owner& owner, std::unique_ptr<async::Socket> socket);

  bool done() const { return job_->done(); }
  void Stop() { job_->Cancel(); }

 private:
  void HandleTimer() override;
  void StartDeadline();
  async::Task<Result<void>> Serve();

  Clock& clock_;
  const Owner& owner_;
  std::unique_ptr<async::Socket> socket_;
  std::optional<async::Job<Result<void>>> job_;
};

}  // namespace usbtwin::app
