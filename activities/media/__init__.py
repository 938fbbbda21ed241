"""Audio and video: what a recording is, what is said in it when and by whom, and what is to be seen. No I/O of ours."""
