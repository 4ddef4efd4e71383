# The base image out of package/rootfs.py's archive, where no registry is reached.
FROM scratch
ARG TARGETARCH
ADD base-${TARGETARCH}.tar /
