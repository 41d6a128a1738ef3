# make demo: a controller and three simulated cameras at http://127.0.0.1:8080
# make test: all tests      make lint: format, clippy, documentation
# make editors: films for editors as melt renders them
# make bench: what it costs      make fuzz: every parser, a minute each
# make screenshots: every page on a desk and in a hand, light and dark
# make packages: Debian packages of both programs, into target/packages
# make fleet: are units and playbooks sound      make rig: a set of real hosts on this machine, provisioned and proven
# make soak: three nodes, an hour, a fault a minute, every frame accounted for

DEMO_TOOLS = ffmpeg=ffmpeg rsync=rsync
TEST_TOOLS = $(DEMO_TOOLS) mosquitto_pub=mosquitto-clients mosquitto=mosquitto python3=python3 pip=python3-pip ssh=openssh-client sshd=openssh-server tar=tar openssl=openssl chromium=chromium chromedriver=chromium-driver faketime=faketime mkfs.ext4=e2fsprogs unzip=unzip rrsync=rsync xmllint=libxml2-utils ip=iproute2 chronyd=chrony
CLIENTS = $(CURDIR)/.cache/clients
ANSIBLE = $(CURDIR)/.cache/ansible
FLEET_TOOLS = python3=python3 pip=python3-pip systemd-analyze=systemd shellcheck=shellcheck
RIG_TOOLS = $(FLEET_TOOLS) mmdebstrap=mmdebstrap systemd-nspawn=systemd-container ip=iproute2 nft=nftables ssh=openssh-client mosquitto_pub=mosquitto-clients
ARCHES ?= amd64 arm64
FUZZ_SECONDS ?= 60
SOAK_MINUTES ?= 60

.PHONY: demo test editors lint bench soak fuzz screenshots packages packages-run fleet rig

demo:
	@.ci/install $(DEMO_TOOLS)
	cargo build --release --locked -p syncslate-controller -p syncslate-node
	@demo/run target/release

test:
	@.ci/install $(TEST_TOOLS)
	@.ci/clients $(CLIENTS)
	cargo build --workspace --bins --tests --locked
	cargo test --workspace --locked
	SYNCSLATE_CLIENTS=$(CLIENTS) cargo test --workspace --locked --test others -- --include-ignored

# What editors would see: films rendered by melt, which brings 120 packages with it.
editors:
	@.ci/install $(TEST_TOOLS) melt=melt
	cargo build --workspace --bins --locked
	cargo test -p syncslate-e2e --locked --test export -- --ignored

lint:
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

bench:
	@.ci/install $(TEST_TOOLS) valgrind=valgrind
	cargo build --release --locked --workspace --bins
	target/release/bench-node
	bench/instructions
	target/release/bench-preview 60
	target/release/bench-broker
	target/release/bench-custody
	target/release/bench-page
	target/release/bench-report
	target/release/bench-export
	target/release/bench-take
	target/release/bench-scale
	target/release/bench-start
	target/release/bench-growth 10000 5000 600 300 target/growth.svg

soak:
	@.ci/install $(TEST_TOOLS)
	cargo build --release --locked --workspace --bins
	target/release/soak $(SOAK_MINUTES)

screenshots:
	@.ci/install $(TEST_TOOLS)
	cargo build --locked --workspace --bins
	target/debug/screenshots screenshots

fuzz:
	cd fuzz && for target in $$(cargo +nightly fuzz list); do \
	    cargo +nightly fuzz run $$target -- -max_total_time=$(FUZZ_SECONDS) || exit 1; done

packages:
	@.ci/install dpkg-deb=dpkg lintian=lintian \
	    $(if $(filter arm64,$(ARCHES)),"aarch64-linux-gnu-gcc=gcc-aarch64-linux-gnu libc6-dev-arm64-cross") \
	    $(if $(filter armhf,$(ARCHES)),"arm-linux-gnueabihf-gcc=gcc-arm-linux-gnueabihf libc6-dev-armhf-cross")
	rm -rf target/packages
	packaging/build target/packages $(ARCHES)
	lintian --allow-root --fail-on error target/packages/*.deb

# The packages of other processors than this one's, run by qemu.
packages-run: packages
	@.ci/install ffmpeg=ffmpeg mosquitto_pub=mosquitto-clients qemu-aarch64-static=qemu-user-static
	cargo build --locked -p syncslate-controller
	for arch in $(filter arm64 armhf,$(ARCHES)); do \
	    packaging/test-foreign target/packages/syncslate-node_*_$$arch.deb $$arch target/debug/syncslate-controller || exit 1; done

fleet:
	@.ci/install $(FLEET_TOOLS)
	@.ci/ansible $(ANSIBLE)
	shellcheck bench/instructions packaging/build packaging/test packaging/test-foreign packaging/*/scripts/* systemd/check e2e/rig/root e2e/rig/hosts e2e/rig/computer .ci/ansible .ci/install
	systemd/check
	cd ansible && for playbook in site update shutdown check; do PYTHONPATH=$(ANSIBLE) $(ANSIBLE)/bin/ansible-playbook \
	    --inventory inventory.example.yml --syntax-check $$playbook.yml >/dev/null || exit 1; done
	cd ansible && PYTHONPATH=$(ANSIBLE) PATH=$(ANSIBLE)/bin:$$PATH ansible-lint --nocolor

# Packages of two versions from the development programs, their life from installation to purge, then the whole set: by
# hand as the guide says, and by the playbooks.
rig:
	@.ci/install $(RIG_TOOLS)
	@.ci/ansible $(ANSIBLE)
	cargo build --locked -p syncslate-controller -p syncslate-node
	rm -rf .cache/rig/old .cache/rig/new
	packaging/build .cache/rig/old --debug --version 0.0.1-1 $$(dpkg --print-architecture)
	packaging/build .cache/rig/new --debug $$(dpkg --print-architecture)
	e2e/rig/root .cache/rig/root
	packaging/test .cache/rig/root .cache/rig/old .cache/rig/new
	e2e/rig/by_hand .cache/rig/by_hand .cache/rig/new
	PYTHONPATH=$(ANSIBLE) PATH=$(ANSIBLE)/bin:$$PATH e2e/rig/prove .cache/rig/hosts .cache/rig/old .cache/rig/new
