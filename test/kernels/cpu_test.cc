#include "kernels/cpu.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

namespace nybble::kernels {
namespace {

/// A folder that stands for "/", removed at the end.
class FakeRoot {
 public:
  FakeRoot() {
    std::string name = (std::filesystem::temp_directory_path() / "nybble-root-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    root_ = name;
  }
  ~FakeRoot() { std::filesystem::remove_all(root_); }

  void write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file) << text;
  }
  UsableCpus cpus(int affinity, int online) const {
    return usable_cpus_under(root_.string(), affinity, online);
  }

 private:
  std::filesystem::path root_;
};

TEST_CASE("without a cgroup the affinity mask decides") {
  const FakeRoot root;
  const UsableCpus cpus = root.cpus(3, 8);
  CHECK(cpus.online == 8);
  CHECK(cpus.affinity == 3);
  CHECK(cpus.quota == 0);
  CHECK(cpus.quota_source.empty());
  CHECK(cpus.threads == 3);
}

TEST_CASE("a v2 quota of 1.5 CPUs gives two threads and names its file") {
  const FakeRoot root;
  root.write("proc/self/cgroup", "0::/app\n");
  root.write("sys/fs/cgroup/app/cpu.max", "150000 100000\n");
  const UsableCpus cpus = root.cpus(8, 8);
  CHECK(cpus.quota == 1.5);
  CHECK(cpus.threads == 2);
  CHECK(cpus.quota_source.find("sys/fs/cgroup/app/cpu.max") != std::string::npos);
}

TEST_CASE("the tightest v2 ancestor counts") {
  const FakeRoot root;
  root.write("proc/self/cgroup", "0::/a/b/c\n");
  root.write("sys/fs/cgroup/a/cpu.max", "200000 100000\n");
  root.write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  root.write("sys/fs/cgroup/a/b/c/cpu.max", "700000 100000\n");
  CHECK(root.cpus(8, 8).quota == 2);
  CHECK(root.cpus(8, 8).threads == 2);
  CHECK(root.cpus(1, 8).threads == 1);
}

TEST_CASE("a v2 group of max is no limit") {
  const FakeRoot root;
  root.write("proc/self/cgroup", "0::/a\n");
  root.write("sys/fs/cgroup/a/cpu.max", "max 100000\n");
  CHECK(root.cpus(4, 8).quota == 0);
  CHECK(root.cpus(4, 8).threads == 4);
}

TEST_CASE("inside a container the limit stands at the mount itself") {
  const FakeRoot root;
  root.write("proc/self/cgroup", "0::/../outer\n");
  root.write("sys/fs/cgroup/cpu.max", "50000 100000\n");
  CHECK(root.cpus(8, 8).quota == 0.5);
  CHECK(root.cpus(8, 8).threads == 1);
}

TEST_CASE("a v1 quota is read from the cpu controller and its ancestors") {
  const FakeRoot root;
  root.write("proc/self/cgroup", "12:memory:/x\n4:cpu,cpuacct:/x/y\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "300000\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_quota_us", "-1\n");
  root.write("sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_period_us", "100000\n");
  CHECK(root.cpus(8, 8).quota == 3);
  CHECK(root.cpus(8, 8).quota_source.find("cpu.cfs_quota_us") != std::string::npos);
}

TEST_CASE("damaged cgroup files are no limit") {
  const FakeRoot root;
  root.write("proc/self/cgroup", "nonsense\n0::/a\n1:cpu\n");
  root.write("sys/fs/cgroup/a/cpu.max", "\n");
  root.write("sys/fs/cgroup/cpu.max", "-5 0\n");
  CHECK(root.cpus(2, 2).quota == 0);
}

TEST_CASE("this machine has a model name, an L1 data cache and a usable CPU") {
  CHECK_FALSE(cpu_model().empty());
  bool l1 = false;
  for (const Cache& cache : caches()) {
    CHECK(cache.bytes > 0);
    l1 = l1 || (cache.level == 1 && cache.type == "data");
  }
  CHECK(l1);
  CHECK(usable_cpus().threads >= 1);
  CHECK(usable_cpus().affinity <= usable_cpus().online);
}

}  // namespace
}  // namespace nybble::kernels
