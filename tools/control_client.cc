#include "tools/control_client.h"

#include <fmt/format.h>

#include <cstdlib>

#include "app/run.h"
#include "async/perform_socket.h"
#include "base/text.h"
#include "os/system.h"

namespace usbtwin::tools {
namespace {

using app::Failure;

constexpr size_t kReplyMax = 16 << 20;  // bytes
constexpr int kDepthMax = 8;            // of what is in a reply; what lies deeper is left out
constexpr char kHint[] =
    "\nIs a usbtwin serve running? It says where it takes requests; name that with --control.";

// What waits when the time is up ends kCancelled.
class Patience final : private Timer {
 public:
  Patience(async::Root& root, Duration time) : root_(root) {
    root_.clock().Arm(*this, root_.clock().Now() + time);
  }
  ~Patience() { root_.clock().Disarm(*this); }
  bool over() const { return over_; }

 private:
  void HandleTimer() override {
    over_ = true;
    root_.Cancel();
  }

  async::Root& root_;
  bool over_ = false;
};

async::Task<Result<std::string, Failure>> Exchange(async::SocketProvider& sockets,
                                                   std::string address, std::string request,
                                                   std::chrono::milliseconds timeout) {
  async::Root& root = co_await async::CurrentRoot();
  const Patience patience(root, timeout);
  async::SocketConnect connect;
  connect.address = address;
  const async::SocketOutcome connected = co_await async::PerformConnect(sockets, connect);
  Failure failure;
  failure.kind = Failure::Kind::kCannotOpen;
  failure.text = connect.why + kHint;
  const std::string late = fmt::format(
      "{}: no answer in {} ms; the server may be stopped, or busy opening a device (--timeout-ms)",
      Printable(address), timeout.count());
  if (patience.over()) failure.text = late;
  if (connected != async::SocketOutcome::kOk) co_return failure;
  const Bytes piece = TextBytes(request);
  async::SocketWrite write;
  write.pieces = std::span(&piece, 1);
  const async::SocketOutcome written = co_await async::PerformWrite(*connect.socket, write);
  failure.text = Printable(address) + ": the server closed the connection without an answer";
  if (patience.over()) failure.text = late;
  if (written != async::SocketOutcome::kOk) co_return failure;
  std::string reply;
  std::array<uint8_t, 4096> room;
  async::SocketRead read;
  while (reply.find('\n') == std::string::npos && reply.size() < kReplyMax) {
    read.room = room;
    const async::SocketOutcome outcome = co_await async::PerformRead(*connect.socket, read);
    if (patience.over()) failure.text = late;
    if (outcome != async::SocketOutcome::kOk) co_return failure;
    reply.append(room.begin(), room.begin() + static_cast<ptrdiff_t>(read.length_actual));
  }
  co_return reply;
}

Failure::Kind KindOf(const std::string& name) {
  for (const auto kind :
       {Failure::Kind::kUsage, Failure::Kind::kCannotOpen, Failure::Kind::kTransport,
        Failure::Kind::kRefused, Failure::Kind::kFile}) {
    if (name == Name(kind)) return kind;
  }
  return Failure::Kind::kRefused;
}

}  // namespace

std::string DefaultControl() {
  const char* const folder = std::getenv("XDG_RUNTIME_DIR");
  const std::string path = folder != nullptr && folder[0] == '/' ? folder : "/run";
  return "unix:" + path + "/usbtwin.sock";
}

Result<Json, Failure> AskControl(const std::string& address, const Json& request,
                                 std::chrono::milliseconds timeout) {
  const auto system = os::MakeSystem();
  const std::string line = request.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
  const auto reply = app::Run(*system, Exchange(system->sockets(), address, line, timeout));
  if (!reply) return reply.error();
  const auto is_near = [](int depth, Json::parse_event_t, Json&) { return depth <= kDepthMax; };
  Json json = Json::parse(*reply, is_near, false);
  const bool understood = json.is_object() && json.contains("ok") && json["ok"].is_boolean();
  if (!understood) {
    return Failure{Failure::Kind::kTransport,
                   Printable(address) + ": what answers there is no usbtwin serve"};
  }
  if (json["ok"].get<bool>()) return json;
  const Json error = json.contains("error") ? json["error"] : Json();
  const std::string text = TextIn(error, "text");
  return Failure{KindOf(TextIn(error, "kind")), text.empty() ? "the server refuses" : text};
}

std::string TextIn(const Json& object, const char* key) {
  if (!object.is_object()) return "";
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

uint64_t NumberIn(const Json& object, const char* key) {
  if (!object.is_object()) return 0;
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<uint64_t>() : 0;
}

}  // namespace usbtwin::tools
