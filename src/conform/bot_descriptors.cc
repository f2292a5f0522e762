// What a Bulk-Only device says of itself, and the two requests of its class. BOT 1.0, 3 and 4; in
// USB-IF's compliance tests TD1.1 to TD1.3.
#include "base/text.h"
#include "conform/bench.h"
#include "conform/bot_cases.h"
#include "wire/bot.h"

namespace usbtwin::conform {

namespace {

constexpr uint8_t kClassIn = 0xa1;  // bmRequestType: class request from an interface
constexpr uint8_t kClassOut = 0x21;
constexpr size_t kSerialLengthMin = 12;  // characters. BOT 1.0, 4.1.1

const usb::Alternate* ChosenAlternate(Bench& bench) {
  const host::StorageChoice& storage = bench.storage();
  const auto* configuration = bench.session().description().Find(storage.configuration_value);
  if (configuration == nullptr) return nullptr;
  for (const usb::Interface& interface : configuration->tree.interfaces) {
    if (interface.number != storage.interface_number) continue;
    for (const usb::Alternate& alternate : interface.alternates) {
      if (alternate.setting == storage.alternate_setting) return &alternate;
    }
  }
  return nullptr;
}

async::Task<Finding> InterfaceClass(Bench& bench) {
  const host::StorageChoice& storage = bench.storage();
  std::string wrong;
  if (storage.interface_class != 0x08) {
    wrong = "bInterfaceClass is " + HexId(storage.interface_class) + "h and not 08h; ";
  }
  if (storage.interface_subclass == 0 || storage.interface_subclass > 0x06) {
    wrong += "bInterfaceSubClass is " + HexId(storage.interface_subclass) + "h, not 01h to 06h; ";
  }
  if (storage.interface_protocol != 0x50) {
    wrong += "bInterfaceProtocol is " + HexId(storage.interface_protocol) + "h and not 50h; ";
  }
  co_return Judge(wrong.substr(0, wrong.empty() ? 0 : wrong.size() - 2));
}

async::Task<Finding> Endpoints(Bench& bench) {
  const usb::Alternate* alternate = ChosenAlternate(bench);
  if (alternate == nullptr) co_return Fail("the chosen interface is in no configuration");
  size_t in_count = 0;
  size_t out_count = 0;
  for (const usb::EndpointConfig& endpoint : alternate->endpoints) {
    if (endpoint.type != usb::TransferType::kBulk) continue;
    ++(endpoint.address.is_in() ? in_count : out_count);
  }
  if (in_count != 0 && out_count != 0) co_return Pass();
  co_return Fail(Count(in_count, "bulk-in endpoint") + " and " +
                 Count(out_count, "bulk-out endpoint"));
}

async::Task<Finding> PacketSize(Bench& bench) {
  const usb::Speed speed = bench.session().caps().speed;
  const auto fits = [speed](uint16_t size) {
    if (speed >= usb::Speed::kSuper) return size == 1024;
    if (speed == usb::Speed::kHigh) return size == 512;
    return size == 8 || size == 16 || size == 32 || size == 64;
  };
  for (const usb::EndpointConfig& pipe : {bench.storage().bulk_in, bench.storage().bulk_out}) {
    if (!fits(pipe.packet_size_max)) {
      co_return Fail("endpoint " + HexId(pipe.address.value) + "h has packets of " +
                     Count(pipe.packet_size_max, "byte") + " at " + usb::Name(speed) + " speed");
    }
  }
  co_return Pass();
}

async::Task<Finding> Serial(Bench& bench) {
  const host::DeviceDescription& description = bench.session().description();
  if (description.device.serial_index == 0) co_return Fail("iSerialNumber is 0");
  if (!description.serial) co_return Fail("the serial number cannot be read");
  const std::string& serial = *description.serial;
  if (serial.size() < kSerialLengthMin) {
    co_return Fail("the serial number has " + Count(serial.size(), "character") +
                   ", at least 12 are needed");
  }
  for (const char digit : serial) {
    if ((digit < '0' || digit > '9') && (digit < 'A' || digit > 'F')) {
      co_return Fail("the serial number " + Quote(serial) + " has more than 0-9 and A-F");
    }
  }
  const std::string last = serial.substr(serial.size() - kSerialLengthMin);
  if (last == std::string(kSerialLengthMin, '0')) {
    co_return Fail("the last 12 digits of the serial number are 0");
  }
  co_return Pass();
}

// ---- Class requests ----

struct ClassRequest {
  uint8_t request_type;
  uint8_t request;
  uint16_t value;
  int index_more;   // than the interface's number
  uint16_t length;  // of the data stage
};

async::Task<Result<uint32_t>> Send(Bench& bench, ClassRequest what, MutableBytes room) {
  host::ControlRequest request;
  request.request_type = what.request_type;
  request.request = what.request;
  request.value = what.value;
  request.index = static_cast<uint16_t>(bench.storage().interface_number + what.index_more);
  if ((what.request_type & wire::usb::kDirectionIn) != 0) {
    request.in = room.first(what.length);
  } else {
    request.out = Bytes(room).first(what.length);
  }
  const Result<uint32_t> done = co_await bench.Request(request);
  co_return done;
}

bool Stalled(const Result<uint32_t>& done) {
  return !done && done.error().kind == ErrorKind::kStalled;
}

std::string Told(const Result<uint32_t>& done) {
  return done ? Count(*done, "byte") + " and no stall" : done.error().Describe();
}

async::Task<Finding> MaxLun(Bench& bench) {
  std::array<uint8_t, 1> room{};
  const ClassRequest what{kClassIn, wire::bot::kRequestGetMaxLun, 0, 0, 1};
  const Result<uint32_t> done = co_await Send(bench, what, room);
  if (Stalled(done)) co_return Pass();
  if (!done || *done != 1) co_return Fail(Told(done));
  if (room[0] > wire::bot::kLunMax) co_return Fail("Max LUN is " + std::to_string(room[0]));
  co_return Pass();
}

// A request that no device knows must be stalled, and the next good one answered.
async::Task<Finding> Refused(Bench& bench, ClassRequest what) {
  std::array<uint8_t, 4> room{};
  const Result<uint32_t> done = co_await Send(bench, what, room);
  if (!Stalled(done)) co_return Fail(Told(done) + ", expected a stall");
  const Result<uint32_t> reset = co_await bench.MassStorageReset();
  if (!reset) co_return Fail("the next Bulk-Only Reset: " + reset.error().Describe());
  co_return Pass();
}

async::Task<Finding> MaxLunValue(Bench& bench) {
  const ClassRequest what{kClassIn, wire::bot::kRequestGetMaxLun, 1, 0, 1};
  return Refused(bench, what);
}
async::Task<Finding> MaxLunInterface(Bench& bench) {
  const ClassRequest what{kClassIn, wire::bot::kRequestGetMaxLun, 0, 100, 1};
  return Refused(bench, what);
}
async::Task<Finding> Reset(Bench& bench) {
  const Result<uint32_t> done = co_await bench.MassStorageReset();
  co_return done ? Pass() : Fail(done.error().Describe());
}
async::Task<Finding> ResetValue(Bench& bench) {
  const ClassRequest what{kClassOut, wire::bot::kRequestReset, 1, 0, 0};
  return Refused(bench, what);
}
async::Task<Finding> ResetInterface(Bench& bench) {
  const ClassRequest what{kClassOut, wire::bot::kRequestReset, 0, 100, 0};
  return Refused(bench, what);
}
async::Task<Finding> ResetLength(Bench& bench) {
  const ClassRequest what{kClassOut, wire::bot::kRequestReset, 0, 0, 1};
  return Refused(bench, what);
}
async::Task<Finding> UnknownRequest(Bench& bench) {
  const ClassRequest what{kClassIn, 0x00, 0, 0, 1};
  return Refused(bench, what);
}

constexpr Case kCases[] = {
    {"interface-class", "BOT 1.0, 4.3 (TD1.1)", "class 08h, a known subclass, protocol 50h", false,
     InterfaceClass},
    {"endpoints", "BOT 1.0, 4.4 (TD1.1)", "a bulk-in and a bulk-out endpoint", false, Endpoints},
    {"packet-size", "USB 2.0, 5.8.3; USB 3.2, 8.10.2",
     "bulk packets are as long as the speed allows", false, PacketSize},
    {"serial-number", "BOT 1.0, 4.1.1 (TD1.2)",
     "at least 12 digits of 0-9 and A-F, the last 12 not all 0", false, Serial},
    {"max-lun", "BOT 1.0, 3.2 (TD1.3)", "Get Max LUN gives 0 to 15, or stalls", false, MaxLun},
    {"max-lun-value", "BOT 1.0, 3.2 (TD1.3)", "Get Max LUN with wValue 1 is stalled", false,
     MaxLunValue},
    {"max-lun-interface", "BOT 1.0, 3.2 (TD1.3)",
     "Get Max LUN of an interface that is not there is stalled", false, MaxLunInterface},
    {"reset", "BOT 1.0, 3.1 (TD1.3)", "Bulk-Only Mass Storage Reset is carried out", false, Reset},
    {"reset-value", "BOT 1.0, 3.1 (TD1.3)", "the same with wValue 1 is stalled", false, ResetValue},
    {"reset-interface", "BOT 1.0, 3.1 (TD1.3)",
     "the same to an interface that is not there is stalled", false, ResetInterface},
    {"reset-length", "BOT 1.0, 3.1 (TD1.3)", "the same with a data stage is stalled", false,
     ResetLength},
    {"unknown-request", "USB 2.0, 9.2.7", "a class request that does not exist is stalled", false,
     UnknownRequest},
};

}  // namespace

std::span<const Case> DescriptorCases() {
  return kCases;
}

}  // namespace usbtwin::conform
