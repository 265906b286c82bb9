#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a bare host odd. Run inside it, as root, by create.yml.
set -eu
export DEBIAN_FRONTEND=noninteractive

# Another language, in which a number has a comma and the small letter of I is no i, and a zone with odd minutes
apt-get -qq update
apt-get -qq install --no-install-recommends locales tzdata >/dev/null
echo 'tr_TR.UTF-8 UTF-8' > /etc/locale.gen
locale-gen >/dev/null
update-locale LANG=tr_TR.UTF-8
ln -sf /usr/share/zoneinfo/Asia/Kathmandu /etc/localtime

# A proxy for all that is outside, which knows nothing of the inside: here there is none at its address. Packages come
# straight. What a login has and what services have are two places.
proxy=http://127.0.0.1:1
printf '%s_proxy=%s\n' http "$proxy" https "$proxy" HTTP "$proxy" HTTPS "$proxy" all "$proxy" > /etc/environment
echo 'Acquire::http::Proxy "DIRECT";' > /etc/apt/apt.conf.d/00direct
mkdir -p /etc/systemd/system.conf.d
printf '[Manager]\nDefaultEnvironment=%s\n' \
  "LANG=tr_TR.UTF-8 http_proxy=$proxy https_proxy=$proxy HTTPS_PROXY=$proxy all_proxy=$proxy" \
  > /etc/systemd/system.conf.d/odd.conf
systemctl daemon-reexec

# The name that a host has been given by hand may have what no name of the Internet has; systemd would not.
echo Odd_HOST > /proc/sys/kernel/hostname
echo "127.0.1.1 Odd_HOST" >> /etc/hosts

# Nobody logs in as root; who deploys may become root without a password. What either makes is for himself alone.
useradd --create-home --shell /bin/bash deploy
install -d -m 700 -o deploy -g deploy /home/deploy/.ssh
install -m 600 -o deploy -g deploy /root/.ssh/authorized_keys /home/deploy/.ssh/authorized_keys
printf 'deploy ALL=(ALL) NOPASSWD: ALL\nDefaults env_keep += "http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy"\n' \
  > /etc/sudoers.d/deploy
chmod 440 /etc/sudoers.d/deploy
echo 'PermitRootLogin no' > /etc/ssh/sshd_config.d/odd.conf
# The language is the host's own, not that of who comes.
sed -i 's/^AcceptEnv/#&/' /etc/ssh/sshd_config
systemctl restart ssh
sed -i 's/^UMASK.*/UMASK 077/' /etc/login.defs
echo 'umask 077' >> /etc/profile
for service in common-session common-session-noninteractive; do
  echo 'session optional pam_umask.so nousergroups umask=0077' >> "/etc/pam.d/$service"
done

# What a file system has at its root
mkdir -m 700 /srv/kafka/lost+found /srv/elasticsearch/lost+found
