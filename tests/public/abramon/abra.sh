export VERSION=1
