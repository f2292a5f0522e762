#include "os/linux/sockets.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstdlib>

#include "tests/os/child.h"
#include "tests/os/socket_calls.h"
#include "tests/os/socket_rigs.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::os;     // NOLINT
using namespace usbtwin::tests;  // NOLINT
using async::SocketOutcome;
using std::chrono::milliseconds;

namespace {

constexpr auto kThree = "010203"_hex;

// A listening socket's file whose owner died.
void LeaveStale(const std::string& path) {
  const FileDescriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const void* start = &address;
  BOOST_REQUIRE(bind(fd.get(), static_cast<const sockaddr*>(start), sizeof address) == 0);
  BOOST_REQUIRE(listen(fd.get(), 1) == 0);
}

bool Exists(const std::string& path) {
  struct stat status = {};
  return lstat(path.c_str(), &status) == 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sockets)

BOOST_AUTO_TEST_CASE(a_socket_file_is_its_owners_and_goes_with_its_listener) {
  UnixRig rig;
  const std::string path = rig.dir.path("server");
  auto listener = rig.provider().Listen("unix:" + path);
  BOOST_REQUIRE(listener.has_value());
  BOOST_TEST((*listener)->address() == "unix:" + path);
  struct stat status = {};
  BOOST_REQUIRE(lstat(path.c_str(), &status) == 0);
  BOOST_TEST(S_ISSOCK(status.st_mode));
  BOOST_TEST((status.st_mode & 0777) == 0600u);
  listener->reset();
  BOOST_TEST(!Exists(path));
}

BOOST_AUTO_TEST_CASE(a_socket_file_of_a_dead_server_is_replaced) {
  UnixRig rig;
  const std::string path = rig.dir.path("server");
  LeaveStale(path);
  BOOST_TEST((Connect(rig, "unix:" + path).first == SocketOutcome::kRefused));
  const auto listener = rig.provider().Listen("unix:" + path);
  BOOST_REQUIRE(listener.has_value());
  BOOST_TEST((Connect(rig, "unix:" + path).first == SocketOutcome::kOk));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_socket_stays) {
  UnixRig rig;
  const std::string path = rig.dir.File("server", kThree);
  const auto listener = rig.provider().Listen("unix:" + path);
  BOOST_REQUIRE(!listener.has_value());
  BOOST_TEST(listener.error().kind == ErrorKind::kBusy);
  BOOST_TEST(Has(listener.error().text, "no socket"));
  BOOST_TEST(FileContent(path).size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_file_that_somebody_else_put_there_stays) {
  UnixRig rig;
  const std::string path = rig.dir.path("server");
  auto listener = rig.provider().Listen("unix:" + path);
  BOOST_REQUIRE(listener.has_value());
  unlink(path.c_str());
  const auto other = rig.provider().Listen("unix:" + path);
  BOOST_REQUIRE(other.has_value());
  listener->reset();
  BOOST_TEST(Exists(path));
  BOOST_TEST((Connect(rig, "unix:" + path).first == SocketOutcome::kOk));
}

BOOST_AUTO_TEST_CASE(a_listener_that_cannot_be_opened_says_what_to_do) {
  TcpRig rig;
  TempDir dir;
  const auto taken = rig.provider().Listen("127.0.0.1:0");
  BOOST_REQUIRE(taken.has_value());
  const struct {
    std::string address;
    ErrorKind kind;
    std::string text;
  } cases[] = {
      {(*taken)->address(), ErrorKind::kBusy, "choose another port"},
      {"192.0.2.1:0", ErrorKind::kNotFound, "0.0.0.0 for all of them"},
      {"unix:" + dir.path("missing/server"), ErrorKind::kNotFound, "no such directory"},
      {"unix:", ErrorKind::kInvalid, "unix:/path"},
      {"unix:/" + std::string(200, 'x'), ErrorKind::kInvalid, "a shorter one"},
      {"3240", ErrorKind::kInvalid, "a number alone"},
      {"[::1]", ErrorKind::kInvalid, "host:port"},
      {"::1:3240", ErrorKind::kInvalid, "in brackets"},
      {":3240", ErrorKind::kInvalid, "no host"},
      {"127.0.0.1:65536", ErrorKind::kInvalid, "0 to 65535"},
      {"127.0.0.1:usbip", ErrorKind::kInvalid, "0 to 65535"},
      {"none.test:3240", ErrorKind::kInvalid, "localhost"},
      {std::string("a\0b:1", 5), ErrorKind::kInvalid, "zero byte"},
      {"activated:x", ErrorKind::kInvalid, "activated:0"},
      {"activated:0", ErrorKind::kNotFound, "with 0 sockets"},
  };
  for (const auto& [address, kind, text] : cases) {
    const auto listener = rig.provider().Listen(address);
    BOOST_REQUIRE(!listener.has_value());
    BOOST_TEST_CONTEXT(listener.error().text) {
      BOOST_TEST(listener.error().kind == kind);
      BOOST_TEST(Has(listener.error().text, text));
      if (!address.starts_with("a")) BOOST_TEST(Has(listener.error().text, address));
    }
  }
}

BOOST_AUTO_TEST_CASE(without_permission_nobody_listens_and_nobody_connects) {
  TempDir dir;
  BOOST_TEST(Succeeds([&] {
    Loop loop;
    Sockets sockets(loop);
    const auto served = sockets.Listen("unix:" + dir.path("server"));
    if (!served) return false;
    chmod(dir.path("").c_str(), 0711);
    if (geteuid() == 0 && seteuid(65534) != 0) return false;
    if (geteuid() != 65534) chmod(dir.path("server").c_str(), 0000);
    if (geteuid() != 65534) chmod(dir.path("").c_str(), 0511);
    const auto listener = sockets.Listen("unix:" + dir.path("other"));
    Tracked<async::SocketConnect> connect;
    connect.op.address = "unix:" + dir.path("server");
    sockets.Connect(connect.Pushed());
    loop.RunUntil([&] { return connect.done == 1; });
    if (seteuid(getuid()) != 0) return false;
    chmod(dir.path("").c_str(), 0700);
    return !listener && listener.error().kind == ErrorKind::kDenied &&
           Has(listener.error().text, "permission denied") &&
           connect.op.outcome == SocketOutcome::kFault && Has(connect.op.why, "permission denied");
  }));
}

BOOST_AUTO_TEST_CASE(both_ends_of_a_tcp_connection_have_a_name) {
  Connection<TcpRig> connection;
  BOOST_TEST(connection.listener->address().starts_with("127.0.0.1:"));
  BOOST_TEST(!connection.listener->address().ends_with(":0"));
  BOOST_TEST(connection.client->peer() == connection.listener->address());
  BOOST_TEST(connection.server->peer().starts_with("127.0.0.1:"));
  BOOST_TEST(connection.server->peer() != connection.listener->address());
}

BOOST_AUTO_TEST_CASE(ipv6_takes_ipv4_as_well) {
  TcpRig rig;
  const auto listener = rig.provider().Listen("[::]:0");
  if (!listener && listener.error().kind == ErrorKind::kUnsupported) {
    BOOST_TEST_MESSAGE("SKIP: ipv6_takes_ipv4_as_well: no IPv6 here");
    return;
  }
  BOOST_REQUIRE(listener.has_value());
  const std::string address = (*listener)->address();
  BOOST_TEST(address.starts_with("[::]:"));
  Tracked<async::SocketAccept> accept;
  (*listener)->Accept(accept.Pushed());
  const std::string port = address.substr(address.rfind(':'));
  BOOST_TEST((Connect(rig, "127.0.0.1" + port).first == SocketOutcome::kOk));
  BOOST_TEST(rig.RunUntil([&] { return accept.done == 1; }));
  BOOST_TEST(accept.op.socket->peer().starts_with("127.0.0.1:"));
}

BOOST_AUTO_TEST_CASE(all_addresses_of_a_name_are_tried) {
  TcpRig rig;
  const auto listener = rig.provider().Listen("localhost:0");
  BOOST_REQUIRE(listener.has_value());
  const std::string address = (*listener)->address();
  const std::string port = address.substr(address.rfind(':'));
  Tracked<async::SocketConnect> connect;
  connect.op.address = "two.test" + port;
  rig.provider().Connect(connect.Pushed());
  BOOST_REQUIRE(rig.RunUntil([&] { return connect.done == 1; }));
  BOOST_REQUIRE(connect.op.outcome == SocketOutcome::kOk);
  BOOST_TEST(connect.op.socket->peer() == address);
  connect.op.socket.reset();

  const std::string nobody = rig.NobodysAddress();
  const auto [outcome, why] = Connect(rig, "two.test" + nobody.substr(nobody.rfind(':')));
  BOOST_TEST(outcome == SocketOutcome::kRefused);
  BOOST_TEST(Has(why, "all its addresses"));
}

BOOST_AUTO_TEST_CASE(a_connect_that_cannot_be_says_why) {
  TcpRig rig;
  const auto [outcome, why] = Connect(rig, "none.test:3240");
  BOOST_TEST(outcome == SocketOutcome::kFault);
  BOOST_TEST(Has(why, "cannot connect to none.test:3240: no such host"));
  BOOST_TEST(Has(Connect(rig, "host").second, "host:port"));
  BOOST_TEST(Has(Connect(rig, "unix:").second, "unix:/path"));
}

BOOST_AUTO_TEST_CASE(without_a_thread_a_name_is_not_looked_up) {
  failing_thread.Arm(EAGAIN);
  TcpRig rig;
  const auto [outcome, why] = Connect(rig, "two.test:3240");
  BOOST_TEST(outcome == SocketOutcome::kFault);
  BOOST_TEST(Has(why, "thread"));
  BOOST_TEST(failing_thread.failed == 1);
}

BOOST_AUTO_TEST_CASE(who_finds_the_queue_full_waits) {
  UnixRig rig({.backlog = 1});
  auto listener = rig.provider().Listen(rig.ListenAddress());
  BOOST_REQUIRE(listener.has_value());
  std::vector<Tracked<async::SocketConnect>> connects(8);
  for (auto& connect : connects) {
    connect.op.address = rig.ListenAddress();
    rig.provider().Connect(connect.Pushed());
  }
  rig.Settle();
  const auto connected = [&] {
    return std::count_if(connects.begin(), connects.end(),
                         [](const auto& connect) { return connect.done == 1; });
  };
  BOOST_TEST(connected() < 8);
  for (int count = 0; count < 8; ++count) {
    Tracked<async::SocketAccept> accept;
    (*listener)->Accept(accept.Pushed());
    BOOST_REQUIRE(rig.RunUntil([&] { return accept.done == 1; }));
    BOOST_TEST(accept.op.outcome == SocketOutcome::kOk);
  }
  BOOST_TEST(rig.RunUntil([&] { return connected() == 8; }));
  for (auto& connect : connects) BOOST_TEST(connect.op.outcome == SocketOutcome::kOk);
}

BOOST_AUTO_TEST_CASE(who_waits_for_too_long_gives_up_or_is_cancelled) {
  UnixRig rig({.connect_timeout = milliseconds(30), .backlog = 0});
  auto listener = rig.provider().Listen(rig.ListenAddress());
  BOOST_REQUIRE(listener.has_value());
  Tracked<async::SocketConnect> first;  // fills the queue
  first.op.address = rig.ListenAddress();
  rig.provider().Connect(first.Pushed());
  BOOST_REQUIRE(rig.RunUntil([&] { return first.done == 1; }));

  const auto [outcome, why] = Connect(rig, rig.ListenAddress());
  BOOST_TEST(outcome == SocketOutcome::kReset);
  BOOST_TEST(Has(why, "try again"));

  Tracked<async::SocketConnect> cancelled;
  cancelled.op.address = rig.ListenAddress();
  rig.provider().Connect(cancelled.Pushed());
  rig.provider().Cancel(cancelled.op);
  BOOST_TEST(cancelled.done == 0);
  BOOST_REQUIRE(rig.RunUntil([&] { return cancelled.done == 1; }));
  BOOST_TEST(cancelled.op.outcome == SocketOutcome::kCancelled);
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_gone_before_it_was_let_in_is_passed_over) {
  Connection<TcpRig> connection;
  failing_accept4.Arm(ECONNABORTED, 3);
  const auto [client, server] = connection.Connect();
  BOOST_TEST(failing_accept4.failed == 3);
}

BOOST_AUTO_TEST_CASE(an_error_that_does_not_pass_is_told_once_and_does_not_spin) {
  UnixRig rig({.accept_pause = milliseconds(20)});
  auto listener = rig.provider().Listen(rig.ListenAddress());
  BOOST_REQUIRE(listener.has_value());
  failing_accept4.Arm(ENFILE, INT_MAX);
  Tracked<async::SocketAccept> accept;
  (*listener)->Accept(accept.Pushed());
  BOOST_REQUIRE(rig.RunUntil([&] { return accept.done == 1; }));
  BOOST_TEST(accept.op.outcome == SocketOutcome::kFault);
  BOOST_TEST(Has(accept.op.why, "too many open files"));
  BOOST_TEST(Has(accept.op.why, rig.ListenAddress()));

  (*listener)->Accept(accept.Pushed());
  for (int count = 0; count < 4; ++count) rig.Settle();
  BOOST_TEST(accept.done == 1);
  BOOST_TEST(failing_accept4.failed <= 6);
  BOOST_TEST(failing_accept4.failed >= 2);

  failing_accept4.Arm(0, 0);
  BOOST_TEST((Connect(rig, rig.ListenAddress()).first == SocketOutcome::kOk));
  BOOST_REQUIRE(rig.RunUntil([&] { return accept.done == 2; }));
  BOOST_TEST(accept.op.outcome == SocketOutcome::kOk);
}

// With a real limit, which the client's own descriptor reaches.
BOOST_AUTO_TEST_CASE(without_descriptors_connections_wait_until_there_are_some) {
  BOOST_TEST(Succeeds([] {
    UnixRig rig({.accept_pause = milliseconds(10)});
    auto listener = rig.provider().Listen(rig.ListenAddress());
    Tracked<async::SocketConnect> connect;
    connect.op.address = rig.ListenAddress();
    rig.provider().Connect(connect.Pushed());
    if (!rig.RunUntil([&] { return connect.done == 1; })) return false;
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    const FileDescriptor next(dup(0));
    limit.rlim_cur = static_cast<rlim_t>(next.get());
    setrlimit(RLIMIT_NOFILE, &limit);

    Tracked<async::SocketAccept> accept;
    (*listener)->Accept(accept.Pushed());
    if (!rig.RunUntil([&] { return accept.done == 1; })) return false;
    if (accept.op.outcome != SocketOutcome::kFault || !Has(accept.op.why, "ulimit")) return false;
    if (!Has(Connect(rig, rig.ListenAddress()).second, "ulimit")) return false;

    (*listener)->Accept(accept.Pushed());
    rig.Settle();
    if (accept.done != 1) return false;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    return rig.RunUntil([&] { return accept.done == 2; }) &&
           accept.op.outcome == SocketOutcome::kOk;
  }));
}

BOOST_AUTO_TEST_CASE(sockets_passed_at_the_start_are_listened_at) {
  BOOST_TEST(Succeeds([] {
    const int passed = socket(AF_INET, SOCK_STREAM, 0);
    if (listen(passed, 5) != 0) return false;  // at any free port
    if (dup2(passed, 3) != 3 || dup2(STDERR_FILENO, 4) != 4) return false;
    TcpRig rig;
    setenv("LISTEN_PID", std::to_string(getpid() + 1).c_str(), 1);
    setenv("LISTEN_FDS", "2", 1);
    if (rig.provider().Listen("activated:0").has_value()) return false;  // of another process
    setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);

    auto listener = rig.provider().Listen("activated:0");
    if (!listener || !(*listener)->address().starts_with("0.0.0.0:")) return false;
    const auto again = rig.provider().Listen("activated:0");
    const auto no_socket = rig.provider().Listen("activated:1");
    const auto beyond = rig.provider().Listen("activated:2");
    if (again || again.error().kind != ErrorKind::kBusy) return false;
    if (no_socket || no_socket.error().kind != ErrorKind::kInvalid) return false;
    if (beyond || beyond.error().kind != ErrorKind::kNotFound) return false;

    Tracked<async::SocketAccept> accept;
    (*listener)->Accept(accept.Pushed());
    const std::string address = (*listener)->address();
    const auto [outcome, why] = Connect(rig, "127.0.0.1" + address.substr(address.rfind(':')));
    return outcome == SocketOutcome::kOk && rig.RunUntil([&] { return accept.done == 1; }) &&
           accept.op.outcome == SocketOutcome::kOk;
  }));
}

BOOST_AUTO_TEST_SUITE_END()
