// A file store with its loop and helper, and operations on it that run to their end.
#pragma once

#include <boost/test/unit_test.hpp>

#include "os/linux/file_store.h"
#include "tests/os/temp_dir.h"

namespace usbtwin::tests {

using emulator::StoreOp;
using emulator::StoreOutcome;

struct Operation final : emulator::StoreSink {
  Operation(StoreOp::Kind kind, uint64_t offset, uint64_t length, Bytes data = {}) {
    op.kind = kind;
    op.offset = offset;
    op.length = length;
    op.data = data;
    op.sink = this;
  }
  void OnStoreDone(StoreOp&) override { ++answers; }
  // True when it was answered at once.
  bool Submit(emulator::BlockStore& store) {
    const bool at_once = store.Submit(op);
    if (at_once) ++answers;
    return at_once;
  }
  std::vector<uint8_t> content() const {
    std::vector<uint8_t> bytes(op.lease.length(), 0xa5);
    op.lease.CopyTo(bytes);
    return bytes;
  }
  StoreOp op;
  int answers = 0;
};

struct StoreFixture {
  std::unique_ptr<os::FileStore> Open(const std::string& path,
                                      const app::ImageOptions& options = {}) {
    auto store = os::FileStore::Open(loop, worker, path, options);
    BOOST_TEST_REQUIRE(store.has_value(), (store ? "" : store.error().text));
    return std::move(*store);
  }
  std::string OpenError(const std::string& path, const app::ImageOptions& options = {}) {
    auto store = os::FileStore::Open(loop, worker, path, options);
    return store ? "" : store.error().text;
  }
  void Finish(Operation& operation) {
    BOOST_TEST_REQUIRE(loop.RunUntil([&] { return operation.answers != 0; }));
    BOOST_TEST_REQUIRE(operation.answers == 1);
  }
  StoreOutcome Do(emulator::BlockStore& store, Operation& operation) {
    operation.Submit(store);
    Finish(operation);
    return operation.op.outcome;
  }
  StoreOutcome Write(emulator::BlockStore& store, uint64_t offset, Bytes data) {
    Operation write(StoreOp::Kind::kWrite, offset, data.size(), data);
    return Do(store, write);
  }
  StoreOutcome Unmap(emulator::BlockStore& store, uint64_t offset, uint64_t length) {
    Operation unmap(StoreOp::Kind::kUnmap, offset, length);
    return Do(store, unmap);
  }
  StoreOutcome Flush(emulator::BlockStore& store) {
    Operation flush(StoreOp::Kind::kFlush, 0, 0);
    return Do(store, flush);
  }
  std::vector<uint8_t> Read(emulator::BlockStore& store, uint64_t offset, uint64_t length) {
    Operation read(StoreOp::Kind::kRead, offset, length);
    BOOST_TEST_REQUIRE((Do(store, read) == StoreOutcome::kOk));
    BOOST_TEST_REQUIRE(read.op.lease.length() == length);
    return read.content();
  }
  StoreOutcome ReadOutcome(emulator::BlockStore& store, uint64_t offset, uint64_t length) {
    Operation read(StoreOp::Kind::kRead, offset, length);
    return Do(store, read);
  }

  TempDir dir;
  os::Loop loop;
  os::Worker worker{loop};
};

inline std::vector<uint8_t> Filled(size_t length, uint8_t value) {
  return std::vector<uint8_t>(length, value);
}

// Bytes that differ from place to place and from seed to seed.
inline std::vector<uint8_t> Pattern(size_t length, uint32_t seed) {
  std::vector<uint8_t> bytes(length);
  for (uint8_t& byte : bytes) {
    seed = seed * 1664525 + 1013904223;
    byte = static_cast<uint8_t>(seed >> 24);
  }
  return bytes;
}

}  // namespace usbtwin::tests
