# make demo: a controller and three simulated cameras at http://127.0.0.1:8080
# make test: all tests      make lint: format, clippy, documentation
# make bench: what it costs      make fuzz: every parser, a minute each
# make screenshots: every page on a desk and in a hand, light and dark
# make soak: three nodes, an hour, a fault a minute, every frame accounted for

DEMO_TOOLS = ffmpeg=ffmpeg rsync=rsync
TEST_TOOLS = $(DEMO_TOOLS) mosquitto_pub=mosquitto-clients mosquitto=mosquitto python3=python3 pip=python3-pip ssh=openssh-client sshd=openssh-server tar=tar openssl=openssl chromium=chromium chromedriver=chromium-driver faketime=faketime mkfs.ext4=e2fsprogs unzip=unzip rrsync=rsync
CLIENTS = $(CURDIR)/.cache/clients
FUZZ_SECONDS ?= 60
SOAK_MINUTES ?= 60

.PHONY: demo test lint bench soak fuzz screenshots

demo:
	@.ci/install $(DEMO_TOOLS)
	cargo build --release --locked -p syncslate-controller -p syncslate-node
	@demo/run target/release

test:
	@.ci/install $(TEST_TOOLS)
	@.ci/clients $(CLIENTS)
	cargo build --workspace --bins --locked
	cargo test --workspace --locked
	SYNCSLATE_CLIENTS=$(CLIENTS) cargo test --workspace --locked --test others -- --include-ignored

lint:
	cargo fmt --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked

bench:
	@.ci/install $(TEST_TOOLS)
	cargo build --release --locked --workspace --bins
	target/release/bench-node
	target/release/bench-broker
	target/release/bench-custody
	target/release/bench-page
	target/release/bench-report

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
