// Where the bytes of replies are: in the memory of who lends them, until they are written; and how
// much memory transfers may have.
#include <boost/test/data/test_case.hpp>

#include "emulator/memory_store.h"
#include "tests/async/scripted_bench.h"

using namespace usbtwin;         // NOLINT
using namespace usbtwin::tests;  // NOLINT
using namespace std::chrono_literals;

namespace {

// The bytes of a store, as they were written.
std::vector<uint8_t> Fill(emulator::MemoryStore& store, uint8_t seed) {
  std::vector<uint8_t> bytes(store.size());
  for (size_t index = 0; index < bytes.size(); ++index) {
    bytes[index] = static_cast<uint8_t>(seed + index * 31 + index / 4096);
  }
  emulator::StoreOp write;
  write.kind = emulator::StoreOp::Kind::kWrite;
  write.length = bytes.size();
  write.data = bytes;
  BOOST_REQUIRE(store.Submit(write));
  return bytes;
}
Lease Lend(emulator::MemoryStore& store) {
  emulator::StoreOp read;
  read.kind = emulator::StoreOp::Kind::kRead;
  read.length = store.size();
  BOOST_REQUIRE(store.Submit(read));
  return std::move(read.lease);
}

class CountedPin final : public Pin {
 public:
  explicit CountedPin(Bytes bytes) : piece_(bytes) { set_pieces({&piece_, 1}); }
  Lease Lend() { return Lease(*this, 0, static_cast<uint32_t>(piece_.size())); }
  int unpinned = 0;

 private:
  void HandleUnpinned() override { ++unpinned; }
  Bytes piece_;
};

}  // namespace

namespace {

struct Iso {
  const char* name;
  uint32_t packets_count;
  Message descriptors;
  const char* line;  // "" where it is carried
};
const Iso kIsos[] = {
    {"1025 packets", 1025, {}, "1025 isochronous packets"},
    {"-1 packets", 0xffffffff, {}, "4294967295 isochronous packets"},
    {"a packet behind the end", 1, IsoMessage(65, 0), "0 bytes at offset 65 of 64"},
    {"a packet over the end", 1, IsoMessage(60, 5), "5 bytes at offset 60 of 64"},
    {"an offset that wraps", 1, IsoMessage(0xffffffff, 2), "2 bytes at offset 4294967295"},
    {"a length that wraps", 1, IsoMessage(1, 0xffffffff), "4294967295 bytes at offset 1"},
    {"packets on top of one another", 2, IsoMessage(0, 64) + IsoMessage(0, 1), "65 bytes in 64"},
    {"no packets", 0, {}, ""},
    {"gaps", 2, IsoMessage(0, 10) + IsoMessage(40, 24), ""},
    {"packets in another order", 2, IsoMessage(40, 24) + IsoMessage(0, 10), ""},
};

}  // namespace

namespace std {
ostream& operator<<(ostream& out, const Iso& one) {
  return out << one.name;
}
}  // namespace std

BOOST_AUTO_TEST_SUITE(usbip_lending)

BOOST_AUTO_TEST_CASE(the_socket_sees_the_pages_of_the_store) {
  Bench bench;
  emulator::MemoryStore store(256 << 10);
  const std::vector<uint8_t> expected = Fill(store, 1);
  std::vector<Bytes> pages;
  Lend(store).ForEach([&](Bytes piece) { pages.push_back(piece); });

  bench.socket->Say(SubmitMessage({.sequence = 9, .endpoint = 1, .length = 256 << 10}));
  usb::Transfer& transfer = bench.NextTransfer();
  BOOST_TEST(transfer.in.empty());
  BOOST_TEST(transfer.lease.Append(Lend(store)));
  bench.bus.device.Finish(transfer, usb::Outcome::kOk, 256 << 10);
  bench.rig.Settle();

  // The header, then the pages themselves.
  const std::vector<Bytes>& places = bench.socket->places;
  BOOST_REQUIRE_EQUAL(places.size(), 1 + pages.size());
  for (size_t index = 0; index < pages.size(); ++index) {
    BOOST_TEST((places[index + 1].data() == pages[index].data()));
    BOOST_TEST(places[index + 1].size() == pages[index].size());
  }
  BOOST_TEST((Message(bench.socket->taken.begin() + 48, bench.socket->taken.end()) == expected));
  BOOST_TEST(bench.rig.Status().bytes_held == 0u);
}

BOOST_AUTO_TEST_CASE(a_lease_ends_when_its_bytes_are_written) {
  Bench bench;
  const std::vector<uint8_t> bytes(100'000, 0x42);
  CountedPin pin(bytes);
  bench.socket->TakeNothing();
  bench.socket->Say(SubmitMessage({.sequence = 9, .endpoint = 1, .length = 100'000}));
  usb::Transfer& transfer = bench.NextTransfer();
  BOOST_TEST(transfer.lease.Append(pin.Lend()));
  bench.bus.device.Finish(transfer, usb::Outcome::kOk, 100'000);
  bench.rig.Settle();
  bench.socket->Take(100'047);
  bench.rig.Settle();
  BOOST_TEST(pin.unpinned == 0);
  bench.socket->Take(1);
  bench.rig.Settle();

  BOOST_TEST(bench.socket->taken.size() == 100'048u);
  BOOST_TEST(pin.unpinned == 1);
}

// What a slow peer keeps from its owner is what is being written, not all that is queued.
BOOST_AUTO_TEST_CASE(leases_end_one_after_the_other) {
  Bench bench;
  const std::vector<uint8_t> bytes(256 << 10, 0x42);
  CountedPin first(bytes);
  CountedPin second(bytes);
  bench.socket->TakeNothing();
  bench.socket->Say(SubmitMessage({.sequence = 9, .endpoint = 1, .length = 256 << 10}) +
                    SubmitMessage({.sequence = 10, .endpoint = 1, .length = 256 << 10}));
  bench.NextTransfer(2);
  const std::vector<usb::Transfer*> transfers = bench.bus.device.waiting;
  BOOST_TEST(transfers[0]->lease.Append(first.Lend()));
  BOOST_TEST(transfers[1]->lease.Append(second.Lend()));
  for (usb::Transfer* transfer : transfers) {
    bench.bus.device.Finish(*transfer, usb::Outcome::kOk, 256 << 10);
  }
  bench.rig.Settle();
  bench.socket->Take(48 + (256 << 10));
  bench.rig.Settle();

  BOOST_TEST(first.unpinned == 1);
  BOOST_TEST(second.unpinned == 0);
  bench.socket->Take(48 + (256 << 10));
  bench.rig.Settle();
  BOOST_TEST(second.unpinned == 1);
}

// The owner of lent bytes may move them to write others in their place. What was written of the
// reply by then, and what is written later, are one state of the disk.
BOOST_AUTO_TEST_CASE(a_write_does_not_tear_a_reply_that_is_half_sent) {
  ServerRig rig;
  rig.AddDisk();
  auto made = std::make_unique<TightSocket>(rig.world);
  TightSocket& socket = *made;
  rig.server->Accept(std::move(made));
  socket.Take(320 + 48);
  socket.Say(ImportMessage("1-1") +
             SubmitMessage({.sequence = 1, .in = 0, .setup = kSetConfiguration}));
  rig.Settle();
  BOOST_REQUIRE_EQUAL(socket.taken.size(), 368u);
  constexpr uint32_t kLength = 64 << 10;
  const auto wrapper = [](uint8_t tag, bool in, uint32_t length, uint8_t opcode, uint8_t count) {
    Message bytes = Text("USBC", 31);
    bytes[4] = tag;
    for (size_t index = 0; index < 4; ++index) {
      bytes[8 + index] = static_cast<uint8_t>(length >> (8 * index));
    }
    bytes[12] = in ? 0x80 : 0;
    bytes[14] = opcode == 0 ? 6 : 10;
    bytes[15] = opcode;
    bytes[23] = count;
    return bytes;
  };
  uint32_t sequence = 10;
  const auto out = [&](const Message& bytes) {
    socket.Say(SubmitMessage({.sequence = ++sequence,
                              .endpoint = 1,
                              .in = 0,
                              .length = static_cast<uint32_t>(bytes.size())}) +
               bytes);
  };
  const auto in = [&](uint32_t length) {
    socket.Say(SubmitMessage({.sequence = ++sequence, .endpoint = 1, .length = length}));
  };
  const auto write = [&](uint8_t tag, uint8_t value) {
    out(wrapper(tag, false, kLength, 0x2a, kLength / 512));
    out(Message(kLength, value));
    in(13);
  };
  socket.Take(100'000);
  out(wrapper(1, true, 0, 0, 0));  // the power-on unit attention
  in(13);
  write(2, 0x11);
  rig.Settle();
  BOOST_REQUIRE_EQUAL(socket.taken.size(), 368u + 48 + 61 + 48 + 48 + 61);
  BOOST_TEST(socket.taken.back() == 0);

  // A READ whose data goes out a few bytes at a time; meanwhile other bytes are written there.
  socket.taken.clear();
  socket.TakeNothing();
  out(wrapper(3, true, kLength, 0x28, kLength / 512));
  in(kLength);
  rig.Settle();
  socket.Take(48 + 48 + 1000);
  write(4, 0x22);
  rig.Settle();
  BOOST_TEST(rig.Status().bytes_out > 2 * kLength);
  while (socket.writing()) {
    socket.Take(997);
    rig.Settle(1us);
  }
  socket.Take(1 << 20);
  rig.Settle();

  const Bytes reply = Drop(Bytes(socket.taken), 48 + 48);
  BOOST_REQUIRE(reply.size() >= kLength);
  BOOST_TEST((Message(reply.begin(), reply.begin() + kLength) == Message(kLength, 0x11)));
  BOOST_TEST(socket.taken.back() == 0);  // the WRITE's status: good
  socket.Leave();
  BOOST_TEST(rig.Run([&] { return rig.server->connections_count() == 0; }));
}

BOOST_AUTO_TEST_CASE(only_bulk_data_is_asked_for_as_a_loan) {
  Bench bench;

  bench.socket->Say(SubmitMessage({.sequence = 9, .endpoint = 3, .length = 64}));
  usb::Transfer& transfer = bench.NextTransfer();
  BOOST_TEST(transfer.in.size() == 64u);
  bench.bus.device.FinishIn(transfer, Message(64, 0x12));
  bench.rig.Settle();

  BOOST_TEST((bench.socket->taken.size() == 48u + 64));
  BOOST_TEST(bench.socket->taken.back() == 0x12);
}

BOOST_AUTO_TEST_CASE(the_bytes_of_all_transfers_have_a_limit) {
  async::UsbIpLimits limits;
  limits.urb_bytes_max = 100'000;
  Bench bench(limits);
  const auto out = [](uint32_t sequence, uint32_t length) {
    return SubmitMessage({.sequence = sequence, .endpoint = 2, .in = 0, .length = length}) +
           Message(length, 0x66);
  };

  bench.socket->Say(out(11, 60'000) + out(12, 40'000) + out(13, 1) + out(14, 0));
  bench.NextTransfer(3);
  bench.rig.Settle();
  BOOST_REQUIRE_EQUAL(bench.socket->taken.size(), 48u);
  BOOST_TEST(StatusIn(bench.socket->taken) == -12);
  BOOST_TEST(bench.rig.Status().bytes_held == 100'000u);
  // Lent data needs no memory here.
  bench.socket->Say(SubmitMessage({.sequence = 15, .endpoint = 1, .length = 1 << 20}));
  bench.NextTransfer(4);

  for (usb::Transfer* transfer : std::vector(bench.bus.device.waiting)) {
    bench.bus.device.Finish(*transfer, usb::Outcome::kOk, 0);
  }
  bench.rig.Settle();
  BOOST_TEST(bench.rig.Status().bytes_held == 0u);
  bench.socket->Say(out(16, 100'000));
  bench.bus.device.Finish(bench.NextTransfer(), usb::Outcome::kOk, 100'000);
  bench.rig.Settle();
}

// Memory is kept for the next transfers, but a peer that makes each transfer hold some once does
// not make the server hold it for all of them.
BOOST_AUTO_TEST_CASE(what_is_kept_for_later_has_a_limit) {
  Bench bench;
  for (int round = 0; round < 12; ++round) {
    // Small ones that the last round's large ones are used for, and as many large ones behind.
    const auto count = static_cast<uint32_t>(round * 16);
    Message says;
    for (uint32_t index = 0; index < count; ++index) {
      says = says + SubmitMessage({.sequence = 1000 + index, .endpoint = 2, .in = 0});
    }
    for (uint32_t index = 0; index < 16; ++index) {
      says = says + SubmitMessage({.sequence = 5000 + index, .endpoint = 3, .length = 1 << 20});
    }
    bench.socket->Say(says);
    bench.NextTransfer(count + 16);
    for (usb::Transfer* transfer : std::vector(bench.bus.device.waiting)) {
      bench.bus.device.Finish(*transfer, usb::Outcome::kOk, 0);
    }
    bench.rig.Settle();
    BOOST_TEST(bench.rig.Status().bytes_held == 0u);
    BOOST_TEST(bench.rig.Status().bytes_spare <= size_t{8} << 20);
  }
  BOOST_TEST(bench.rig.Status().bytes_spare > size_t{4} << 20);
}

BOOST_DATA_TEST_CASE(isochronous_packets, boost::unit_test::data::make(kIsos), one) {
  Bench bench;
  bench.rig.log.clear();
  bench.socket->Say(
      SubmitMessage(
          {.sequence = 9, .endpoint = 4, .length = 64, .packets_count = one.packets_count}) +
      one.descriptors);
  bench.rig.Settle();

  if (one.line[0] != 0) {
    BOOST_TEST(bench.bus.device.waiting.empty());
    BOOST_TEST(bench.socket->taken.empty());
    bench.bus.device.Finish(*bench.bus.device.ops.back(), usb::Outcome::kOk);
    ++bench.ports_answered;
    bench.rig.Settle();
    BOOST_TEST(bench.rig.server->connections_count() == 0u);
    BOOST_REQUIRE_EQUAL(bench.rig.log.size(), 1u);
    BOOST_TEST((bench.rig.log[0].find(one.line) != std::string::npos), bench.rig.log[0]);
    return;
  }
  usb::Transfer& transfer = bench.NextTransfer();
  BOOST_TEST(transfer.packets.size() == one.packets_count);
  uint32_t sum = 0;
  for (usb::IsoPacket& packet : transfer.packets) {
    packet.length_actual = packet.length;
    packet.outcome = usb::Outcome::kOk;
    sum += packet.length;
  }
  bench.bus.device.Finish(transfer, usb::Outcome::kOk, sum);
  bench.rig.Settle();
  BOOST_TEST(bench.socket->taken.size() == 48 + sum + one.packets_count * 16);
}

BOOST_AUTO_TEST_SUITE_END()
